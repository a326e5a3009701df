"""Tables and verdicts say of runs what the runs say."""

from collections import Counter

import pytest

from peftcore.analysis.inference import Estimate
from peftcore.experiments import published, studies

ROWS = studies.read(published.MEASURED)


def test_every_pair_of_the_sweep_is_judged_once():
    runs = published.shipped_runs("sweep_runs")
    text = published.verdict_sentences(runs, "accuracy", published.method_name)
    assert "n = 60 seeds and 200 examples" in text
    assert "Holm over 15 pairs" in text
    assert len(runs) == 6


def test_a_study_is_judged_cell_by_cell():
    judged = published.study_verdicts(
        ROWS, "encoder", "Prefix subspace, stochastic validation", "Prefix tuning"
    )
    assert len(judged) == 15
    assert set(judged["verdict"]) <= set(published.VERDICTS)
    turned = published.study_verdicts(
        ROWS, "encoder", "Prefix tuning", "Prefix subspace, stochastic validation"
    )
    assert turned["difference"].tolist() == pytest.approx((-judged["difference"]).tolist())
    other = {"ahead": "behind", "behind": "ahead"}
    expected = Counter(other.get(verdict, verdict) for verdict in judged["verdict"])
    assert Counter(turned["verdict"]) == expected


def test_an_estimate_without_limits_says_why():
    none = Estimate(0.5, None, None, None, None, 1, 9, "this task", reason="one seed")
    assert published.estimate_text(none, ".2f") == "0.50 (one seed)"
