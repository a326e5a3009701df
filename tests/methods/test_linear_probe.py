"""The probe: a head on the untouched base, and nothing else."""

import pytest
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.methods.linear_probe import LinearProbe
from peftcore.runs.spec import Members, RunSpec
from peftcore.training.planning import build_adapted


def test_the_head_is_all_that_is_trained():
    spec = RunSpec(
        base="x", task="miniworld_nli", method="linear_probe", population=Members(seeds=2)
    )
    base = build_tiny("bert")
    adapted = build_adapted(base, spec)
    assert set(adapted.trainable_tensors) == {"head", "head_bias"}
    assert adapted.trainable_count == 16 * 3 + 3  # width by labels, and a bias for each
    assert LinearProbe.injects is None


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_a_base_that_writes_has_no_head_to_train(kind):
    with pytest.raises(BadInput, match=f"needs a base of kind encoder; x is of kind {kind}"):
        LinearProbe.check_base_kind("x", kind)
