"""Sentences about one head, from its numbers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from app.labs.limits import findings
from peftcore.analysis.limits import ROUNDING_TOLERANCE, HeadSummary

PREFIX = HeadSummary(
    head=0, length=10, share=0.254, largest_share=0.5, content_drift=0.0, moved=0.0, swapped=0.0,
    pattern_error=1e-8, output_error=2e-8, bias_norm=1.0, output_norm=2.0, rank=1, used=1, room=1,
)  # fmt: skip
LORA = replace(PREFIX, length=0, content_drift=0.3, swapped=0.125)


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (PREFIX, "The prefix takes 25% of this head's attention; what is left keeps its order "),
        (replace(PREFIX, content_drift=1.0, swapped=0.2), "20.0% of what is left changes its"),
        (LORA, "LoRA changes the order of 12.5% of pairs."),
        (replace(PREFIX, length=0), "LoRA keeps the order of attention here."),
        (replace(PREFIX, length=0, bias_norm=0.0), "LoRA leaves this layer as it was."),
    ],
)
def test_a_head_is_called_by_what_was_done_to_it(summary, words):
    assert words in findings.head_finding("LoRA", summary)


def test_the_theorem_is_ticked_only_where_rounding_alone_is_left():
    comparison = SimpleNamespace(share=np.zeros((4, 7)), residual=3e-7)
    assert "check: the theorem holds here, to 2e-08" in findings.guard(comparison, PREFIX)
    broken = replace(PREFIX, output_error=2 * ROUNDING_TOLERANCE)
    assert ":orange[the theorem does not hold here" in findings.guard(comparison, broken)
    assert "largest of 4 heads" in findings.guard(comparison, PREFIX)


def test_nothing_is_claimed_of_the_theorem_without_a_prefix():
    comparison = SimpleNamespace(share=np.zeros((4, 7)), residual=3e-7)
    assert findings.guard(comparison, LORA) == "7 queries of one input, one seed"


def test_every_arithmetic_is_judged_by_its_own_limit():
    line = findings.residuals_line({"Single": (1e-6, 1e-4), "Half": (1e-2, 1e-3)})
    single, half = line.split(",")
    assert single.endswith("✓")
    assert not half.endswith("✓")


@pytest.mark.parametrize(
    ("single_layer", "shift", "length", "switches"),
    [
        (True, False, 0, ""),
        (False, False, 0, " --whole-stack"),
        (True, True, 3, " --naive-positions --length 3"),
    ],
)
def test_the_command_below_a_picture_has_its_switches(single_layer, shift, length, switches):
    population = SimpleNamespace(seed_numbers=lambda: [5, 6])
    run = SimpleNamespace(
        id="0123", spec=SimpleNamespace(population=population), manifest=lambda: {}
    )
    chosen = SimpleNamespace(
        single_layer=single_layer, shift_positions=shift, prefix_length=length, seed=1
    )
    line = findings.quiet_line(run, chosen, 4)
    assert f"limits 0123 --seed 1{switches}`" in line
    assert "seed 6" in line
