"""The gap to words in every layer, by seed."""

import pytest
from support.runs import make_run

from peftcore.analysis.layer_similarity import LayerGap
from peftcore.errors import BadInput
from peftcore.labs.scaling.layer_gap import LayerGaps, measure_layer_gaps


def test_values_stand_layer_by_layer_and_there_seed_by_seed():
    gap = lambda value: LayerGap(value, 10 * value, 0.5)
    found = LayerGaps((3, 4), 8, [[gap(1.0), gap(2.0)], [gap(1.5), gap(2.5)]])
    assert found.values("norm_ratio") == [[1.0, 1.5], [2.0, 2.5]]
    assert found.values("distance") == [[10.0, 15.0], [20.0, 25.0]]


def test_a_run_without_a_soft_prompt_has_no_gap():
    with pytest.raises(BadInput, match="soft"):
        measure_layer_gaps(make_run("lora"), None)
