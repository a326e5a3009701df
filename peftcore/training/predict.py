"""Answer texts that a user types: by a finished run, or by the untouched base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peftcore import tasks
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import decoding
from peftcore.runs.store import Run
from peftcore.system import server_limits
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel

PAIR_SEPARATOR = "||"  # between the two texts of a pair, for encoders


@dataclass(frozen=True)
class AnswerLimits:
    """Limits of one typed answer; `tick` is called at every token and may raise to stop."""

    # Longer texts take minutes on a processor.
    tokens: int = field(default_factory=lambda: server_limits.TYPED_TOKENS.value)
    # What is written by then is shown.
    seconds: float = field(default_factory=lambda: float(server_limits.ANSWER_TIME.value))
    tick: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class TypedAnswer:
    """An answer to a typed text; `cut` if its time ran out before its end."""

    text: str
    cut: bool = False


def typed_example(text: str, task_parts: int = 2) -> Example:
    """Make a typed text an example; encoders may get a pair, split at ||."""
    if not text.strip():
        raise BadInput("there is nothing to answer: type a text first")
    check_typed(text)
    parts = tuple(part.strip() for part in text.split(PAIR_SEPARATOR, task_parts - 1))
    return Example(f"typed:{text}", " ".join(parts), "", parts=parts)


def answer_texts(
    run: Run, adapted: AdaptedModel, texts: Sequence[str], *, seed_index: int = 0
) -> list[str]:
    """Return one seed's answer to each text; `checkpoint.load_adapter` loads the model."""
    import torch

    from peftcore.models.batching import ExampleBatcher
    from peftcore.training import evaluation, reading

    base, task = adapted.base, tasks.task_of(run.spec)
    seeds = run.spec.population.seeds
    if not 0 <= seed_index < seeds:
        raise BadInput(f"seed must lie in [0, {seeds - 1}]; got {seed_index}")
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(run.spec, base))
    rows = [typed_example(text) for text in texts]
    reader = reading.reader_of_run(run.spec, adapted.adapter, batcher, lambda seed: rows)
    with torch.inference_mode():
        answers = evaluation.answer_examples(
            adapted, task, reader.read(seed_index, rows), batcher, run.spec.evaluation
        )
    return [each.text for each in answers[seed_index]]


def answer_typed(
    run: Run, adapted: AdaptedModel, text: str, seed_index: int, limits: AnswerLimits
) -> TypedAnswer:
    """Return one seed's answer to a typed text within limits; BadInput if the text is too long."""
    from peftcore.models.batching import ExampleBatcher
    from peftcore.training import evaluation

    one = adapted.one_seed(seed_index)
    task = tasks.find_task(run.spec.task)
    batcher = ExampleBatcher(adapted.base, task.labels, planning.prompt_length(run.spec, one.base))
    row = typed_example(text)
    _check_length(len(batcher.tokenize(row).input_ids), limits)
    watch = decoding.TimeWatch(limits.seconds, limits.tick)
    [answer] = evaluation.answer_rows(
        one, task, [row], batcher, run.spec.evaluation, {"stopping_criteria": [watch]}
    )
    return TypedAnswer(answer, watch.ran_out)


def _check_length(tokens: int, limits: AnswerLimits) -> None:
    """Raise BadInput for a text that takes too long to read."""
    if tokens > limits.tokens:
        raise BadInput(
            f"this text has {tokens:,} tokens, and up to {limits.tokens:,} are answered here "
            f"({server_limits.TYPED_TOKENS.variable}): shorten it, or import it as a table and let "
            "a run answer it"
        )


def check_typed(text: str) -> None:
    """Raise BadInput for a typed text that is too long to be cut into tokens at all."""
    server_limits.TYPED_TEXT.check(
        len(text),
        f"this text has {len(text):,} characters",
        "shorten it, or import it as a table",
    )


def answer_base_typed(
    base: BaseModel, text: str, limits: AnswerLimits, max_new_tokens: int = 48
) -> TypedAnswer:
    """Return the untouched base's continuation of a typed text within limits."""
    watch = decoding.TimeWatch(limits.seconds, limits.tick)
    check_typed(text)
    if base.kind != "encoder":
        _check_length(len(base.tokenizer(text)["input_ids"]), limits)
    more = {"stopping_criteria": [watch]}
    [answer] = answer_base(base, [text], max_new_tokens, more)
    return TypedAnswer(answer, watch.ran_out)


def answer_base(
    base: BaseModel,
    texts: Sequence[str],
    max_new_tokens: int = 48,
    more_options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the untouched base's continuation of each text; BadInput for encoders.

    more_options go to `generate`.
    """
    import torch

    from peftcore.models.batching import ExampleBatcher

    if base.kind == "encoder":
        raise BadInput(
            f"{base.name} reads but cannot write; without a trained head it has no answer"
        )
    batcher, tokenizer = ExampleBatcher(base, ()), base.tokenizer
    answers = []
    with torch.inference_mode():
        for text in texts:
            batch = batcher.batch([typed_example(text)], with_targets=False)
            out = base.model.generate(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                **decoding.search_options(tokenizer, max_new_tokens),
                **(more_options or {}),
            )
            new = out[:, batch.input_ids.shape[1] :] if base.kind == "decoder" else out
            answers.append(str(tokenizer.decode(new[0], skip_special_tokens=True)).strip())
    return answers
