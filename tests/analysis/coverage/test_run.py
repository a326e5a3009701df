"""Intervals cover what they speak of: a small fixed simulation here, all of it marked slow.

Equal numbers give equal draws, so nothing here can fail by luck.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from peftcore import paths
from peftcore.analysis.coverage import answers, run, seeds
from peftcore.analysis.coverage.catalog import INTERVALS, PrintedInterval
from peftcore.analysis.coverage.shapes import Case

ROOT = Path(run.__file__).parents[3]
DRAWS = 200
SMALL = [Case("normal", 5, 50), Case("normal", 20, 50, balanced=True), Case("skewed", 8, 50)]


def printed(trial):
    return PrintedInterval("an interval", "somebody", "nowhere", "none", trial, ())


@pytest.mark.parametrize("case", SMALL, ids=str)
@pytest.mark.parametrize(
    "trial", [answers.accuracy_trial, answers.difference_trial], ids=["score", "difference"]
)
def test_two_way_intervals_cover(trial, case):
    found = run.simulate(printed(trial), case, DRAWS)
    assert found.printed > 0.9 * DRAWS
    assert found.share > 0.92


@pytest.mark.parametrize("metric", answers.CORPUS_METRICS)
def test_metrics_that_are_no_mean_are_covered_by_linearisation(metric):
    def trial(rng, case):
        return answers.corpus_trial(rng, case, metric)

    assert run.simulate(printed(trial), Case("normal", 5, 100), DRAWS).share > 0.92


def test_seeds_alone_do_not_cover_the_task():
    """The fault that the two-way interval answers: sixty seeds on the same fifty items."""

    def seeds_only(rng, case):
        labels, items = answers._draw_items(rng, case)
        effects = answers.draw_seeds(rng, case, answers.DROP)
        table = answers._table(rng, answers.LEVEL, effects, items, labels)
        found = answers.estimate(table, "these examples", (0.0, 1.0))
        return found.low <= answers._accuracy(case, answers.LEVEL, None) <= found.high

    assert run.simulate(printed(seeds_only), Case("normal", 60, 50, 0.1), 100).share < 0.6


def test_few_seeds_of_which_one_in_five_fails_are_mostly_not_printed():
    found = run.simulate(printed(seeds.mean_trial), Case("two groups", 8, spread=1.0), DRAWS)
    assert found.printed < 0.3 * DRAWS
    assert found.share > 0.9
    many = run.simulate(printed(seeds.mean_trial), Case("two groups", 20, spread=1.0), DRAWS)
    assert many.printed == DRAWS
    assert many.share > 0.92


def test_every_function_that_the_catalog_names_is_there():
    for each in INTERVALS:
        module, name = each.function.split(".")
        tree = ast.parse((ROOT / "peftcore" / "analysis" / f"{module}.py").read_text("utf-8"))
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, each.function


def test_every_module_of_analysis_with_limits_is_in_the_catalog():
    """Whoever adds a quantile of draws or of Student's t also simulates what it covers."""
    makers = re.compile(r"interval_limits\(|stdtrit|ndtri\(|np\.quantile\(|np\.nanquantile\(")
    folder = ROOT / "peftcore" / "analysis"
    found = {p.stem for p in folder.glob("*.py") if makers.search(p.read_text("utf-8"))}
    named = {each.function.split(".")[0] for each in INTERVALS}
    shared = {"few_seeds", "resampling", "clustered"}  # what the others compute by
    no_limits = {"power", "slices"}  # quantiles of a plan, and of lengths of inputs
    assert found - shared - no_limits <= named


def test_the_readme_has_the_tables_of_what_was_kept():
    rows = json.loads((paths.ASSETS / "coverage.json").read_text("utf-8"))
    assert run.coverage_markdown(rows) in (folder_readme()).read_text("utf-8")
    assert {(row["interval"], row["population"]) for row in rows} == {
        (each.name, each.population) for each in INTERVALS
    }
    counts = {row["draws"] for row in rows if row["shape"] == "two groups"}
    assert counts <= {n * m * run.DRAWS for n in (1, 2) for m in (1, run.MORE)}


def folder_readme():
    return ROOT / "peftcore" / "analysis" / "README.md"


def test_every_printed_interval_covers_and_none_of_normal_seeds_is_needlessly_wide():
    """The gate: what covers less than 93 %, beyond the chance of its draws, is not printed."""
    rows = json.loads((paths.ASSETS / "coverage.json").read_text("utf-8"))
    assert [row for row in rows if run.is_below(row)] == []
    assert [row for row in rows if run.is_wide(row)] == []
    assert all(row["draws"] >= 150 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("each", INTERVALS, ids=lambda each: f"{each.name}, {each.population}")
def test_a_fresh_simulation_agrees_with_the_kept_one(each):
    rows = json.loads((paths.ASSETS / "coverage.json").read_text("utf-8"))
    own = [r for r in rows if (r["interval"], r["population"]) == (each.name, each.population)]
    for number, case in list(enumerate(each.cases))[:: max(1, len(each.cases) // 5)]:
        found = run.simulate(each, case, 300, 1000 + number)
        kept = own[number]
        if found.printed >= 100 and kept["printed"] >= 100:
            assert found.share == pytest.approx(kept["covered"] / kept["printed"], abs=0.06)
