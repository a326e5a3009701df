"""Adapters as files."""

import pytest
import torch
from support.short_runs import small

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter, save_adapter
from peftcore.training.predict import PAIR_SEPARATOR, answer_texts
from peftcore.training.run_training import execute_run


@pytest.mark.parametrize("base", ["mine", "reader"])
def test_a_saved_adapter_gives_the_answers_of_the_run(own, base):
    from peftcore.models.base_model import load

    run = RunStore().create(small(base, task="miniworld_sentiment"))
    execute_run(run)
    adapted = load_adapter(run, load(base))
    answers = run.answers()
    rows = {row.id: row for row in tasks.find_task("miniworld_sentiment").load("test")}
    for seed in (0, 1):
        mine = answers[answers.seed == seed]
        typed = [
            PAIR_SEPARATOR.join(rows[i].parts) if base == "reader" else rows[i].source
            for i in mine.example
        ]
        assert answer_texts(run, adapted, typed, seed_index=seed) == list(mine.text)


def test_an_adapter_is_refused_on_another_base_of_the_same_shape(own):
    from peftcore.models.base_model import load

    run = RunStore().create(small())
    execute_run(run)
    with pytest.raises(BadInput, match="same shape is not the same model"):
        load_adapter(run, load("stranger"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_adapter_with_a_value_that_is_no_number_is_refused_by_name(own, value):
    from peftcore.models.base_model import load
    from peftcore.training.planning import build_adapted

    run, base = RunStore().create(small()), load("mine")
    adapted = build_adapted(base, run.spec)
    name, tensor = next(iter(adapted.trainable_tensors.items()))
    tensor.data.flatten()[0] = value
    save_adapter(run, adapted, base)
    with pytest.raises(BadInput, match=f"tensor '{name}' of run {run.id} holds 1 of"):
        load_adapter(run, base)


def test_exact_zeros_are_not_stored(own):
    from safetensors import safe_open

    from peftcore.models.base_model import load

    base, run = load("mine"), RunStore().create(small(method="lora"))
    execute_run(run)
    adapted = load_adapter(run, base)
    full = (run.folder / "adapter.safetensors").stat().st_size
    name = next(iter(adapted.tensors))
    kept = torch.zeros_like(adapted.tensors[name])
    kept.flatten()[::9] = adapted.tensors[name].flatten()[::9].detach()
    adapted.tensors[name].data = kept
    save_adapter(run, adapted, base)
    with safe_open(run.folder / "adapter.safetensors", "pt") as file:
        assert name not in file.keys()  # noqa: SIM118
    assert torch.equal(load_adapter(run, base).tensors[name], kept)
    assert (run.folder / "adapter.safetensors").stat().st_size < full
