"""Runs chosen by what they are, and grouped by a setting."""

import pytest

from peftcore.analysis.run_sets import ListedRun, RunFilter, group_runs, settings_that_vary
from peftcore.runs.annotation import Annotation
from peftcore.runs.spec import RunSpec


def listed(method="lora", state="done", score=None, steps=200, words=None, **settings):
    spec = RunSpec(base="b", task="t", method=method, settings=settings, training={"steps": steps})
    annotation = Annotation.make(words)
    return ListedRun(spec.id, spec, state, annotation, "accuracy" if score else "", score)


RUNS = [
    listed(rank=4, score=0.5, words={"name": "Small one", "tags": ["good"]}),
    listed(rank=8, score=0.7),
    listed(rank=8, steps=60, score=0.9),
    listed("spt", state="failed", words={"archived": True}),
]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({}, [0, 1, 2]),
        ({"archived": True}, [0, 1, 2, 3]),
        ({"methods": ("spt", "lora"), "states": ("failed",), "archived": True}, [3]),
        ({"tags": ("good", "bad")}, [0]),
        ({"text": "small LORA"}, [0]),
        ({"settings": {"settings.rank": ("8",)}}, [1, 2]),
        ({"settings": {"settings.rank": ("8",), "training.steps": ("60",)}}, [2]),
        ({"bases": ("other",)}, []),
    ],
)
def test_a_filter_takes_any_value_of_a_kind_and_all_kinds(wanted, places):
    assert [n for n, run in enumerate(RUNS) if RunFilter(**wanted).accepts(run)] == places


def test_settings_that_vary_are_offered_with_their_values():
    varied = settings_that_vary(RUNS)
    assert varied["settings.rank"] == ["8", "4"]
    assert varied["training.steps"] == ["200", "60"]
    assert "method" not in varied
    assert "training.batch" not in varied


def test_groups_have_mean_and_spread_over_runs():
    table = group_runs(RUNS[:3], "settings.rank").set_index("value")
    assert table.loc["8", "mean"] == pytest.approx(0.8)
    assert table.loc["8", "sd"] == pytest.approx(0.02**0.5)
    assert (table.loc["4", "runs"], table.loc["4", "seeds"]) == (1, 4)
    assert table.loc["4", "sd"] is None or table["sd"].isna()["4"]
    unscored = group_runs([RUNS[3]], "method")
    assert unscored["mean"].isna().all()
