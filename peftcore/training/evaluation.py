"""Let trained members answer examples.

All seeds answer the same examples, several seeds and examples in one forward pass; rows of similar
length share a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from peftcore.adapters import frozen_states
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.frozen_states import FrozenStateBatcher
from peftcore.data.task import Answer, Example, Task
from peftcore.models import decoding
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation, RunSpec
from peftcore.system import thread_pool
from peftcore.training import batch_budget


@dataclass(frozen=True)
class PassControl:
    """The precision of forward passes, who gets their progress, and what may stop them."""

    autocast: torch.dtype | None = None  # None: single precision
    report: Callable[[int, int], None] = lambda done, of: None
    stop: Callable[[], bool] = lambda: False  # asked between passes


def length_batches(
    batcher: ExampleBatcher, examples: Sequence[Example], copies: int, tokens: int
) -> Iterator[list[int]]:
    """Yield positions of examples of similar length, as many as fit `tokens` in `copies`."""
    lengths = [len(batcher.tokenize(example).input_ids) for example in examples]
    group: list[int] = []
    for i in sorted(range(len(examples)), key=lambda i: lengths[i]):
        # Lengths rise, so the newest example is the one that all others are padded to.
        if group and (len(group) + 1) * lengths[i] * copies > tokens:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def answer_examples(
    adapted: AdaptedModel,
    task: Task,
    examples: Sequence[Example],
    batcher: ExampleBatcher,
    options: Evaluation,
    control: PassControl | None = None,
) -> list[list[Answer]]:
    """Return each seed's answers (s, n), at the centroid unless coords (s, 1, v) are given.

    `stop` is called between passes; InterruptedError if it returns true.
    """
    control = control or PassControl()
    seeds, device = adapted.seeds, adapted.base.device
    answers: list[list[Answer]] = [[Answer("")] * len(examples) for _ in range(seeds)]
    concurrent_passes = thread_pool.thread_count(device)
    budget = batch_budget.token_budget(adapted.base) // options.beams  # each beam is a row
    waiting = list(length_batches(batcher, examples, seeds, budget))
    cached_batcher = frozen_states.choose_batcher(adapted, batcher, control.autocast)

    def texts(group: list[int]) -> list[str] | None:
        """Return the seeds' answers to some examples, None if memory runs out."""
        rows = [examples[i] for i in group]
        try:
            with torch.autocast(
                device.type, control.autocast, enabled=control.autocast is not None
            ):
                return answer_rows(adapted, task, rows * seeds, cached_batcher, options)
        except (RuntimeError, MemoryError) as error:
            if len(group) == 1 or not batch_budget.is_out_of_memory(error):
                raise
            return None

    done = 0
    while waiting:
        if control.stop():
            raise InterruptedError
        groups, waiting = waiting[:concurrent_passes], waiting[concurrent_passes:]
        for group, outputs in zip(
            groups, thread_pool.map_in_threads(texts, groups, concurrent_passes), strict=True
        ):
            if outputs is None:  # memory ran out: again, in halves
                waiting += [group[: len(group) // 2], group[len(group) // 2 :]]
                continue
            for index, text in enumerate(outputs):
                s, i = divmod(index, len(group))  # rows are the group once for every seed
                answers[s][group[i]] = task.parse(text)
            done += len(group)
        control.report(done, len(examples))
    return answers


def answer_rows(
    adapted: AdaptedModel,
    task: Task,
    rows: Sequence[Example],
    batcher: ExampleBatcher | FrozenStateBatcher,
    options: Evaluation,
    more_options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the answer of each row as text, the likeliest label for encoders.

    rows: the same examples for each seed, seed after seed. more_options go to `generate`.
    """
    batch, coords = batcher.batch(rows, with_targets=False), adapted.centroid()
    if adapted.base.kind == "encoder":
        with torch.no_grad():
            return [task.labels[i] for i in adapted.logits(batch, coords).argmax(-1).tolist()]
    tokenizer = adapted.base.tokenizer
    longest = options.max_new_tokens or task.max_new_tokens
    generate_options = decoding.search_options(tokenizer, longest, options.beams)
    generate_options |= task.generation_options(rows, tokenizer) | dict(more_options or {})
    out = adapted.generate(batch, coords, **generate_options)
    return [text.strip() for text in tokenizer.batch_decode(out, skip_special_tokens=True)]


def examples_to_answer(task: Task, options: Evaluation) -> tuple[Example, ...]:
    """Return the examples of the split, at most the limit, the same for every run."""
    rows = task.load(options.split)
    if options.limit >= len(rows):
        return tuple(rows)
    return task.sample_balanced(rows, options.limit, f"{task.name}/{options.split}", options.split)


def examples_of_seed(task: Task, spec: RunSpec, seed: int) -> tuple[Example, ...]:
    """Return the examples that a seed of a run answers: the run's, or by FEB's protocol its own.

    Its own are drawn anew for each seed, none of them among those it was trained or selected on.
    """
    options, t = spec.evaluation, spec.training
    if options.protocol == "shared":
        return examples_to_answer(task, options)
    episode = task.few_shot(t.shots, seed, t.dev)
    seen = {example.id for example in (*episode.train, *episode.dev)}
    rows = [row for row in task.load(options.split) if row.id not in seen]
    if options.limit >= len(rows):
        return tuple(rows)
    key = f"{task.name}/{options.split}/feb/{seed}"
    return task.sample_balanced(rows, options.limit, key, options.split)
