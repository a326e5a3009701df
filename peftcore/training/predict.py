"""Answer texts that a user types: by a finished run, or by the untouched base."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from peftcore import tasks
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import decoding
from peftcore.runs.store import Run
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel

PAIR_SEPARATOR = "||"  # between the two texts of a pair, for encoders


def typed_example(text: str, task_parts: int = 2) -> Example:
    """Make a typed text an example; encoders may get a pair, split at ||."""
    if not text.strip():
        raise BadInput("there is nothing to answer: type a text first")
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


def answer_base(base: BaseModel, texts: Sequence[str], max_new_tokens: int = 48) -> list[str]:
    """Return the untouched base's continuation of each text; BadInput for encoders."""
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
            )
            new = out[:, batch.input_ids.shape[1] :] if base.kind == "decoder" else out
            answers.append(str(tokenizer.decode(new[0], skip_special_tokens=True)).strip())
    return answers
