"""The papers' figures that ship: they must agree with what the papers say of them elsewhere."""

import pandas as pd
import pytest

from peftcore.paths import ASSETS

REPORTED = pd.read_csv(ASSETS / "reported.csv")


def test_every_figure_says_where_it_comes_from():
    assert REPORTED[["source", "where", "method", "metric", "value"]].notna().all().all()
    keys = ["source", "where", "model", "task", "method", "metric"]
    assert not REPORTED.duplicated(keys).any()


def test_human_scores_average_to_what_the_benchmarks_abstract_says():
    """51 % for GPT-3 and 76 % for people's explanations (arXiv:2111.08284)."""
    people = REPORTED[REPORTED.source.str.startswith("FEB")]
    gpt3 = people[(people.model == "gpt-3") & (people.method == "model")]
    assert round(gpt3.value.mean()) == 51
    assert round(people[people.method == "gold"].value.mean()) == 76


@pytest.mark.parametrize(("task", "ratio"), [("ecqa", 0.813), ("esnli", 0.833)])
def test_runs_that_never_explain_share_one_ratio_of_normalised_score_to_accuracy(task, ratio):
    """The score of a placeholder is a constant, so high figures can hide that nothing is said."""
    silent = REPORTED[(REPORTED.method == "AdaLoRA 12->8, 300 steps") & (REPORTED.task == task)]
    table = silent.pivot_table(index="model", columns="metric", values="value")
    found = table["normalised BERTScore"] / table["accuracy"]
    assert found.to_list() == pytest.approx([ratio, ratio], abs=7e-4)
