"""Scores of a run as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from peftcore.analysis import missing_scores
from peftcore.analysis.forgetting import estimate_forgetting
from peftcore.analysis.inference import Estimate, Population
from peftcore.analysis.run_tables import ScoredRun
from peftcore.analysis.score_estimates import score_estimates
from peftcore.runs.forgetting import LOSS
from peftcore.runs.store import Run
from peftcore.system.printing import format_cell, format_table


def scores_with_intervals(
    run: ScoredRun, population: Population = "these examples"
) -> dict[str, dict[str, Any]]:
    """Return metric → mean, 95 % limits, whom they speak of, and the value of each seed.

    Metrics without parts by item speak of these examples whatever is asked for.
    """
    estimates = score_estimates(run, population)
    return {
        metric: _with_interval(estimates[metric], values)
        | {"missing": missing_scores.missing_seeds(run, metric)}
        for metric, values in run.scores().items()
    }


def _with_interval(found: Estimate, values: list[float]) -> dict[str, Any]:
    """Return an estimate as commands print it."""
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "population": found.population,
        "items": found.items or None,
        "reason": found.reason,
        "seeds": values,
    }


def score_lines(by_metric: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield scores as a table."""
    rows = [
        (
            *(name, s["mean"], s["low"], s["high"], s["population"]),
            " ".join(map(format_cell, s["seeds"])),
        )
        for name, s in by_metric.items()
    ]
    yield from format_table(["metric", "mean", "low", "high", "about", "seeds"], rows)
    for name, s in by_metric.items():
        if s["missing"]:
            left = len(s["seeds"]) - len(s["missing"])
            yield f"{name} is no number for seeds {s['missing']}; the mean is of the other {left}"


def forgetting_with_intervals(run: Run) -> dict[str, dict[str, Any]]:
    """Read what a run forgot: measure → before, after, change with interval; empty if unknown."""
    found = run.forgetting()
    if found is None:
        return {}
    seeds = run.spec.population.seed_numbers()
    return {
        measure: {
            "before": each.before,
            "after": each.after,
            "mean": each.change.mean,
            "low": each.change.low,
            "high": each.change.high,
            "seeds": each.seeds,
            "n": each.change.items,
            "of": found.text if measure == LOSS else found.pairs,
        }
        for measure, each in estimate_forgetting(found, seeds).items()
    }


def forgetting_lines(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what a run forgot as a table; the interval speaks of other seeds and other texts."""
    heads = ["measure", "before", "after", "forgotten", "low", "high", "seeds", "n", "of"]
    rows = [
        (
            *(name, m["before"], m["after"], m["mean"], m["low"], m["high"]),
            *(" ".join(map(format_cell, m["seeds"])), m["n"], m["of"]),
        )
        for name, m in measures.items()
    ]
    return format_table(heads, rows)
