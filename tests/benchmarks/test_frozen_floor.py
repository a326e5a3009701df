"""The floor of a step is the frozen model's own pass, and leaves the model frozen."""

import pytest

from peftcore.benchmarks import frozen_floor
from peftcore.benchmarks.peft_baseline import prepare_examples
from peftcore.training import planning
from peftcore.training.trainer import Trainer

TRAINING = {"shots": 3, "dev": 3, "steps": 1, "batch": 3, "precision": "fp32"}


@pytest.mark.parametrize("family", ["t5", "gpt2", "bert"])
def test_a_pass_leaves_no_gradient_behind(tiny, family):
    base = tiny(family)
    spec = planning.build_spec(
        base, "miniworld_nli", "lora", {"rank": 1}, {"seeds": 2}, TRAINING, {"limit": 1}
    )
    episodes, batcher = prepare_examples(base, spec)
    trainer = Trainer(planning.build_adapted(base, spec), episodes, batcher, spec)
    for weights in (False, True):
        frozen_floor.floor_step(base, trainer, weights)()
    assert not any(p.requires_grad or p.grad is not None for p in base.model.parameters())
