"""What trained members answer, and how it scores.

All seeds answer the same examples, several seeds and examples in one forward pass; rows of like
length ride together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from peftcore.adapters import encoder_cache
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.encoder_cache import CachedEncoderBatcher
from peftcore.data.task import Answer, Example, Task
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation
from peftcore.system import thread_pool
from peftcore.training import batch_budget


def length_batches(
    batcher: ExampleBatcher, examples: Sequence[Example], copies: int, tokens: int
) -> Iterator[list[int]]:
    """Positions of examples of like length, so many that `copies` of them stay below `tokens`."""
    lengths = [len(batcher.tokenize(example).input_ids) for example in examples]
    waiting: list[int] = []
    for i in sorted(range(len(examples)), key=lambda i: lengths[i]):
        if waiting and (len(waiting) + 1) * lengths[i] * copies > tokens:
            yield waiting
            waiting = []
        waiting.append(i)
    if waiting:
        yield waiting


def answer_examples(
    adapted: AdaptedModel,
    task: Task,
    examples: Sequence[Example],
    batcher: ExampleBatcher,
    options: Evaluation,
    *,
    coords: Tensor | None = None,
    autocast: torch.dtype | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[list[Answer]]:
    """Each seed's answers (s, n), at the centroid unless coords (s, 1, v) say otherwise.

    `stop` is asked between passes; InterruptedError if it says so, and no answers.
    """
    seeds, device = adapted.seeds, adapted.base.device
    coords = adapted.centroid() if coords is None else coords
    answers: list[list[Answer]] = [[Answer("")] * len(examples) for _ in range(seeds)]
    budget = batch_budget.token_budget(adapted.base) // options.beams
    concurrent_passes = thread_pool.thread_count(device)
    waiting = list(length_batches(batcher, examples, seeds, budget))
    cached_batcher = encoder_cache.choose_batcher(adapted, batcher, autocast)

    def texts(picked: list[int]) -> list[str] | None:
        """What the seeds answer to some examples, None if memory runs out."""
        rows = [examples[i] for i in picked]
        try:
            with torch.autocast(device.type, autocast, enabled=autocast is not None):
                return _texts(adapted, task, rows * seeds, cached_batcher, options, coords)
        except torch.OutOfMemoryError:
            if len(picked) == 1:
                raise
            return None

    done = 0
    while waiting:
        if stop():
            raise InterruptedError
        some, waiting = waiting[:concurrent_passes], waiting[concurrent_passes:]
        for picked, outputs in zip(
            some, thread_pool.map_in_threads(texts, some, concurrent_passes), strict=True
        ):
            if outputs is None:  # in halves, then
                waiting += [picked[: len(picked) // 2], picked[len(picked) // 2 :]]
                continue
            for index, text in enumerate(outputs):
                s, i = divmod(index, len(picked))
                answers[s][picked[i]] = task.parse(text)
            done += len(picked)
        report(done, len(examples))
    return answers


def _texts(
    adapted: AdaptedModel,
    task: Task,
    rows: Sequence[Example],
    batcher: ExampleBatcher | CachedEncoderBatcher,
    options: Evaluation,
    coords: Tensor,
) -> list[str]:
    """The answer of each row as text, the likeliest label for encoders."""
    batch = batcher.batch(rows, with_targets=False)
    if adapted.base.kind == "encoder":
        with torch.no_grad():
            return [task.labels[i] for i in adapted.logits(batch, coords).argmax(-1).tolist()]
    tokenizer = adapted.base.tokenizer
    generate_options = {
        "max_new_tokens": options.max_new_tokens or task.max_new_tokens,
        "num_beams": options.beams,
        "do_sample": False,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    out = adapted.generate(
        batch, coords, **(generate_options | task.generation_options(rows, tokenizer))
    )
    return [text.strip() for text in tokenizer.batch_decode(out, skip_special_tokens=True)]


def examples_to_answer(task: Task, options: Evaluation) -> tuple[Example, ...]:
    """The examples of the split, at most the limit, the same ones for every run."""
    rows = task.load(options.split)
    if options.limit >= len(rows):
        return tuple(rows)
    return task.sample_balanced(rows, options.limit, f"{task.name}/{options.split}", options.split)
