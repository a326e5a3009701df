"""The plain loop that our training is compared with: its model, its rate, its steps."""

import pytest
import torch

from peftcore.benchmarks import peft_baseline
from peftcore.errors import BadInput
from peftcore.training import planning
from peftcore.training.trainer import lr_multiplier

TRAINING = {"shots": 3, "dev": 3, "steps": 2, "batch": 3, "precision": "fp32"}
pytestmark = pytest.mark.filterwarnings("ignore")  # the package uses names that are going away


def spec_of(base, method="lora", **settings):
    values = settings or {"rank": 2}
    return planning.build_spec(
        base, "miniworld_nli", method, values, {"seeds": 2}, TRAINING, {"limit": 1}
    )


@pytest.mark.parametrize(
    ("method", "settings"),
    [("lora", {"rank": 2}), ("prompt_tuning", {"length": 3}), ("prefix_tuning", {"length": 3})],
)
def test_the_package_trains_as_many_numbers_as_our_adapter(tiny, method, settings):
    base = tiny("gpt2")
    spec = spec_of(base, method, **settings)
    first, second = peft_baseline.peft_loops(base, spec)
    assert (first.seed, second.seed) == tuple(spec.population.seed_numbers())
    ours, _ = planning.count_parameters(spec, base)
    assert sum(p.numel() for p in first.trainable_parameters) == ours


def test_a_step_moves_the_adapter_alone_at_the_rate_of_our_own(tiny):
    base = tiny("gpt2")
    spec = spec_of(base)
    loop = peft_baseline.peft_loops(base, spec)[0]
    episodes, batcher = peft_baseline.prepare_examples(base, spec)
    frozen = [p.clone() for p in loop.model.parameters() if not p.requires_grad]
    before = [p.clone() for p in loop.trainable_parameters]
    cost = peft_baseline.train_in_turn([loop], episodes[:1], batcher)
    after = [p for p in loop.model.parameters() if not p.requires_grad]
    assert all(torch.equal(was, now) for was, now in zip(frozen, after, strict=True))
    moved = zip(before, loop.trainable_parameters, strict=True)
    assert any(not torch.equal(was, now) for was, now in moved)
    assert len(cost.losses) == 1
    assert cost.wall > 0
    rate = loop.optimiser.param_groups[0]["lr"]
    assert rate == pytest.approx(loop.learning_rate * lr_multiplier(spec.training, 1))


def test_other_methods_are_not_compared(tiny):
    base = tiny("gpt2")
    with pytest.raises(BadInput, match="compared on prompt_tuning, prefix_tuning, lora"):
        peft_baseline.PeftLoop(base, spec_of(base, "bitfit", components=["ffn"]), 0)
