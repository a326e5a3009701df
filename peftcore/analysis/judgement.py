"""Runs judged by one metric: an estimate of each, a verdict on every pair, and both in words.

Page, command line, library and report say the same sentences, which are made here. Differences and
the margin are in points: hundredths of the metric's largest value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from peftcore.analysis import few_seeds, inference, run_tables, verdicts
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import Components, Estimate, Population, SeedItemTable
from peftcore.analysis.run_tables import ScoredRun
from peftcore.analysis.verdicts import Verdict
from peftcore.errors import BadInput
from peftcore.metrics.scores import find_measure, metric_range

DEFAULT_MARGIN = 100 * verdicts.DEFAULT_MARGIN  # points
MAX_MARGIN = 50.0
OPPOSITE: dict[Verdict, Verdict] = {"ahead": "behind", "behind": "ahead"}
WITHOUT_ITEMS = "has no parts by test example here, so its intervals are about these examples only"


@dataclass(frozen=True)
class JudgedRuns:
    """Runs of one metric, best first, with a verdict on every pair.

    margin: in points. verdicts: rows of `pair_verdicts`, second against first, in the metric's
    unit; the first is never worse than the second. limits: why the population is not the one
    that was asked for, empty where it is.
    """

    metric: str
    population: Population
    margin: float
    tables: Mapping[str, SeedItemTable]
    estimates: Mapping[str, Estimate]
    verdicts: pd.DataFrame
    limits: str = ""

    @property
    def best_pair(self) -> pd.Series | None:
        """The verdict on the second best against the best; None for a single run."""
        return self.verdicts.iloc[0] if len(self.verdicts) else None

    def components(self) -> dict[str, Components | None]:
        """Return the variance components of each run; None where there is too little for any."""
        return {run: table_components(table) for run, table in self.tables.items()}

    def between(self, run: str, other: str) -> dict[str, Any]:
        """Return the verdict on a run against another, whichever order it was judged in."""
        pair = self._pairs.get((other, run))
        return dict(pair) if pair else turn_pair(self._pairs[run, other])

    @functools.cached_property
    def _pairs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Rows of the verdicts by first and second run."""
        rows: list[dict[str, Any]] = self.verdicts.to_dict("records")
        return {(row["first"], row["second"]): row for row in rows}


def points_scale(metric: str) -> float:
    """Return how many points one unit of a metric is: 100 for shares, 1 for BLEU."""
    maximum = find_measure(metric).maximum
    return 100 / maximum if math.isfinite(maximum) and maximum > 0 else 1.0


def judge(
    tables: Mapping[str, SeedItemTable],
    metric: str,
    margin: float = DEFAULT_MARGIN,
    population: Population = "this task",
) -> JudgedRuns:
    """Estimate every run and judge every pair; margin in points, Holm over all pairs.

    Where some table has no items, all intervals are about these examples. BadInput for a margin
    that is no difference a reader could call none.
    """
    if not 0 < margin <= MAX_MARGIN:
        raise BadInput(f"a margin of {margin:g} points; it must be above 0 and at most 50")
    limits = ""
    if not all(map(run_tables.has_items, tables.values())):
        limits = WITHOUT_ITEMS if population == "this task" else ""
        limits = f"{find_measure(metric).title} {limits}" if limits else ""
        population = "these examples"
        tables = {run: run_tables.without_items(table) for run, table in tables.items()}
    within, lower = metric_range(metric), find_measure(metric).better == "lower"
    estimates = {
        run: _without_limits_of_groups(inference.estimate(table, population, within), table, within)
        for run, table in tables.items()
    }
    ordered = sorted(
        estimates, key=lambda run: _place(estimates[run].mean, lower)
    )  # stable: equal runs stay in the order in which they were chosen
    pairs = verdicts.pair_verdicts(
        {run: tables[run] for run in ordered},
        margin / points_scale(metric),
        population,
        within=difference_range(metric),
        lowest_first=lower,
    )
    return JudgedRuns(
        metric,
        population,
        margin,
        {run: tables[run] for run in ordered},
        {run: estimates[run] for run in ordered},
        pairs,
        limits,
    )


def judge_runs(
    runs: Sequence[ScoredRun],
    metric: str,
    margin: float = DEFAULT_MARGIN,
    population: Population = "this task",
) -> JudgedRuns:
    """Judge runs by a metric as `judge` does; those without a score of it are left out."""
    tables = {run.id: run_tables.table_of_run(run, metric) for run in runs}
    scored = {run: table for run, table in tables.items() if table is not None}
    return judge(scored, metric, margin, population)


def _without_limits_of_groups(
    found: Estimate, table: SeedItemTable, within: tuple[float, float]
) -> Estimate:
    """Take the limits from scores of few seeds in two groups, whose answers are not known."""
    if run_tables.has_items(table) or found.seeds >= few_seeds.MANY_SEEDS:
        return found
    groups = few_seeds.groups_of_scores(table.seed_values(), within)
    if groups is None:
        return found
    return replace(found, low=None, high=None, groups=groups, reason=str(groups))


def _place(mean: float | None, lower: bool) -> float:
    """Return what to sort by, runs without a mean last."""
    if mean is None:
        return math.inf
    return mean if lower else -mean


def with_estimates(summary: pd.DataFrame, judgement: JudgedRuns) -> pd.DataFrame:
    """Replace the means and limits of `summarize_runs` by those of a judgement, best first.

    Adds seeds' and items' numbers (n, items) and reason, why a run has no limits.
    """
    columns = ["mean", "low", "high", "n", "items", "reason"]
    found = {
        run: (
            e.mean,
            e.low,
            e.high,
            e.seeds,
            e.items if run_tables.has_items(table) else 0,
            e.reason,
        )
        for (run, e), table in zip(
            judgement.estimates.items(), judgement.tables.values(), strict=True
        )
    }
    order = {run: place for place, run in enumerate(found)}
    rows = summary.copy()
    none = (math.nan, math.nan, math.nan, 0, 0, "not scored by this metric")
    values = pd.DataFrame([found.get(run, none) for run in rows["run"]], columns=columns)
    for column in columns:
        rows[column] = values[column].to_numpy()
    rows = rows.astype(dict.fromkeys(("mean", "low", "high"), float))
    places = rows["run"].map(lambda run: order.get(run, len(order)))
    return rows.loc[places.sort_values(kind="stable").index].reset_index(drop=True)


def turn_pair(row: Mapping[str, Any] | pd.Series) -> dict[str, Any]:
    """Return a pair's verdict as seen from its other run."""
    found = dict(row)
    verdict: Verdict = found["verdict"]
    turned = {"first": found["second"], "second": found["first"]}
    turned |= {"difference": -found["difference"], "low": -found["high"], "high": -found["low"]}
    return found | turned | {"verdict": OPPOSITE.get(verdict, verdict)}


def table_components(table: SeedItemTable) -> Components | None:
    """Return the variance components of a table, None where seeds or items are too few."""
    try:
        return inference.variance_components(table.influence(), table.strata)
    except ValueError:
        return None


def pair_components(first: SeedItemTable, second: SeedItemTable) -> Components | None:
    """Return the variance components of second − first, None where there is too little."""
    one, other = inference.common_part(first, second)
    try:
        return inference.variance_components(other.influence() - one.influence(), one.strata)
    except ValueError:
        return None


def signed_points(value: float, metric: str) -> str:
    """Return a difference in points: "+2.3"; −0.0 is 0.0."""
    points = round(value * points_scale(metric), 1) + 0.0
    return f"{points:+.1f}" if points else "0.0"


def difference_in_words(row: Mapping[str, Any] | pd.Series, metric: str) -> str:
    """Return a pair's difference with its interval: "+2.3 points (+0.4 to +4.2)"."""
    if pd.isna(row["difference"]):
        return str(row["reason"]) or "no seed in common"
    words = f"{signed_points(row['difference'], metric)} points"
    if pd.isna(row["low"]):
        return f"{words}; {row['reason']}" if row["reason"] else words
    low, high = signed_points(row["low"], metric), signed_points(row["high"], metric)
    return f"{words} ({low} to {high})"


def pair_in_words(
    row: Mapping[str, Any] | pd.Series, names: Mapping[str, str], metric: str, margin: float
) -> str:
    """Return the verdict on the second run of a pair against the first, without the full stop."""
    one, other = names[row["second"]], names[row["first"]]
    if row["verdict"] in OPPOSITE:
        step = "ahead of" if row["verdict"] == "ahead" else "behind"
        return f"{one} is {step} {other} by {_size_in_words(row, metric)}"
    difference = difference_in_words(row, metric)
    if row["verdict"] == "equal":
        return f"{one} and {other} are equal within {margin:g} points: {difference}"
    return f"{one} and {other}: cannot tell, {difference}"


def _size_in_words(row: Mapping[str, Any] | pd.Series, metric: str) -> str:
    """Return how large a difference is, whichever its sign: "2.3 points (0.4 to 4.2)"."""
    scale = points_scale(metric)
    words = f"{abs(row['difference']) * scale:.1f} points"
    if pd.isna(row["low"]):
        return words
    ends = sorted((row["low"], row["high"]), key=abs)
    if row["low"] * row["high"] < 0:  # the verdict may rest on more than this interval
        return f"{words} ({signed_points(ends[0], metric)} to {signed_points(ends[1], metric)})"
    return f"{words} ({abs(ends[0]) * scale:.1f} to {abs(ends[1]) * scale:.1f})"


def count_in_words(judgement: JudgedRuns) -> str:
    """Return how many pairs differ, in a sentence; empty for less than two pairs."""
    pairs = judgement.verdicts
    if len(pairs) < 2:
        return ""
    apart = int(pairs["verdict"].isin(["ahead", "behind"]).sum())
    equal, open_pairs = (int((pairs["verdict"] == each).sum()) for each in ("equal", "cannot tell"))
    words = f"Of {len(pairs)} pairs {apart or 'none'} {'differ' if apart > 1 else 'differs'}"
    if equal:
        words += (
            f", {equal} {'is' if equal == 1 else 'are'} equal within {judgement.margin:g} points"
        )
    return f"{words}; in {open_pairs} these data cannot tell." if open_pairs else f"{words}."


def headline(judgement: JudgedRuns, names: Mapping[str, str]) -> str:
    """Return which run is best, by how much and how sure, in one or two sentences."""
    scored = [run for run, each in judgement.estimates.items() if each.mean is not None]
    if not scored:
        return ""
    best, title = scored[0], find_measure(judgement.metric).title
    mean = f"{judgement.estimates[best].mean:{value_format(judgement.metric)}}"
    if len(scored) < 2:
        return f"{title}: {names[best]} has {mean}{_limits_in_words(judgement, best)}."
    row, other = judgement.between(best, scored[1]), names[scored[1]]
    start = f"{title}: {names[best]}, {mean}"
    if row["verdict"] == "ahead":
        return (
            f"{start}, is ahead of the second, {other}, by {_size_in_words(row, judgement.metric)}."
        )
    difference = difference_in_words(row, judgement.metric)
    if row["verdict"] == "equal":
        return f"{start}, and {other} are equal within {judgement.margin:g} points: {difference}."
    extreme = "lowest" if find_measure(judgement.metric).better == "lower" else "highest"
    excluded = row["low"] * row["high"] > 0 and len(judgement.verdicts) > 1
    corrected = f", p {row['holm']:.2g} corrected for {len(judgement.verdicts)} pairs"
    return (
        f"{title}: {names[best]} has the {extreme} mean, {mean}, but these data cannot tell it "
        f"from {other}: {difference}{corrected if excluded else ''}."
    )


def _limits_in_words(judgement: JudgedRuns, run: str) -> str:
    """Return a run's interval in words, or why it has none."""
    found, form = judgement.estimates[run], value_format(judgement.metric)
    if found.low is None or found.high is None:
        return f"; {found.reason}" if found.reason else ""
    return f" (95 % interval {found.low:{form}} to {found.high:{form}})"


def value_format(metric: str) -> str:
    """Return the format in which a metric's values are read."""
    return ".1f" if find_measure(metric).maximum >= 10 else ".3f"
