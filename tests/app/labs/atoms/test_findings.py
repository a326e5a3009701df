"""Sentences about atoms, from made-up measurements."""

import pandas as pd
import pytest
from support.atoms_page import atoms_run, mapped, pruned

from app.labs.atoms import findings
from peftcore.labs.atoms import request


def test_zeros_have_an_interval_over_seeds_and_one_seed_has_none():
    entries = request.coefficient_entries(mapped(atoms_run()))
    words, guard = findings.sparsity_finding(entries)
    assert words.startswith("50% of all coefficients are exactly zero")
    assert guard.endswith("2 seeds on the same texts")
    assert "interval of the zeros" not in findings.sparsity_finding(entries[:1])[1]


def test_pruning_is_said_by_score_and_beside_random_order():
    job = pruned(atoms_run())
    words, guard = findings.pruning_finding(job, 2)
    assert words == "The 2 most important atoms reach 0.895 (Accuracy); 2 at random reach 0.695."
    assert "random order" in guard


def test_a_count_that_was_not_tried_is_said_to_be_unmeasured():
    words, guard = findings.pruning_finding(pruned(atoms_run()), 3)
    assert (words, guard) == ("With 3 atoms nothing is measured yet.", "")


def test_both_runs_are_compared_on_the_first_task_alone():
    row = {"task": "one", "metric": "accuracy", "n": 24}
    rows = pd.DataFrame(
        [
            row | {"seed": 0, "both": 0.5, "first": 0.7},
            row | {"seed": 1, "both": 0.7, "first": 0.9},
            row | {"task": "other", "seed": 0, "both": 0.0, "first": 0.0},
        ]
    )
    words, guard = findings.combined_finding(rows)
    assert "both together reach 0.600 (Accuracy), the first alone 0.800." in words
    assert guard == "mean of 2 seeds, n = 24; no verdict"


@pytest.mark.parametrize("kind", ["map"])
def test_the_line_below_names_base_data_and_command(kind):
    run = atoms_run()
    line = findings.quiet_line(mapped(run))
    assert "n = 24" in line
    assert "data 00ff00ff" in line
    assert f"python -m peftcore atoms {kind} {run.id}" in line
