import pytest
from support.adapters import untrained_adapted
from support.bases import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_of_the_base_is_trained_once(tiny, family):
    base = tiny(family)
    made = untrained_adapted(base, "full_fine_tuning").adapter.tensors
    assert sum(tensor.numel() for tensor in made.values()) == base.parameter_count
