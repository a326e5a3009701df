"""What is measured of an adapter, on the untrained start and on one that was moved by hand."""

import pytest
import torch
from support.runs import make_run

from peftcore.labs import diagnosis
from peftcore.runs.spec import RunSpec
from peftcore.training import planning


def adapted(base, method, factor=1.0, **settings):
    """A run's adapted model, its tensors as they begin, times a factor."""
    spec = RunSpec.make(
        {"base": base.name, "task": "miniworld_nli", "method": method, "settings": settings}
        | {"population": {"seeds": 2}}
    )
    made = planning.build_adapted(base, spec, fresh=False)
    for tensor in made.trainable_tensors.values():
        tensor.data.mul_(factor)
    run = make_run(method, base=base.name, settings=settings, population={"seeds": 2})
    return run, made


def test_an_untrained_lora_has_moved_nowhere_and_does_nothing(tiny):
    base = tiny("t5")
    found = diagnosis.measure_adapter(*_with(base, adapted(base, "lora")))
    assert found.moved == 0
    assert found.effect == pytest.approx(0, abs=1e-6)
    assert found.gradient > 0
    assert (found.attention_share, found.prompt_scale) == (None, None)
    assert found.size is None  # no matrix has changed
    layers = {(stack, number) for stack, number, _ in found.by_layer}
    assert layers == {(stack, n) for stack in ("encoder", "decoder") for n in (1, 2)}
    assert all(change == pytest.approx(0, abs=1e-6) for _, _, change in found.by_layer)


def test_a_prompt_made_three_times_as_long_is_seen(tiny):
    base = tiny("gpt2")
    usual = diagnosis.measure_adapter(*_with(base, adapted(base, "prompt_tuning", length=4)))
    longer = diagnosis.measure_adapter(*_with(base, adapted(base, "prompt_tuning", 3.0, length=4)))
    assert longer.moved == pytest.approx(2.0, rel=1e-4)
    assert longer.prompt_scale == pytest.approx(3 * usual.prompt_scale, rel=1e-4)
    assert 0 < usual.attention_share < 1
    assert longer.effect > 0


def test_an_encoder_is_measured_without_a_next_token(tiny):
    base = tiny("bert")
    found = diagnosis.measure_adapter(*_with(base, adapted(base, "prefix_tuning", length=4)))
    assert found.effect is None
    assert 0 < found.attention_share < 1


def _with(base, run_and_model):
    run, model = run_and_model
    assert all(torch.isfinite(tensor).all() for tensor in model.trainable_tensors.values())
    return run, base, model


def test_a_prefix_is_measured_beside_the_keys_and_values_of_the_base(tiny):
    base = tiny("llama")
    usual = diagnosis.measure_adapter(*_with(base, adapted(base, "prefix_tuning", length=4)))
    longer = diagnosis.measure_adapter(*_with(base, adapted(base, "prefix_tuning", 3.0, length=4)))
    assert usual.size_beside
    assert longer.size == pytest.approx(3 * usual.size, rel=1e-3)
    assert longer.by_layer[-1][2] > usual.by_layer[-1][2] > 0
    assert usual.examples == 20
