"""A run's score with its interval, for a population: from the answers where that needs them."""

from __future__ import annotations

from peftcore.analysis.comparison import interval
from peftcore.analysis.inference import Estimate, Population, estimate
from peftcore.analysis.run_tables import ScoredRun, has_items, table_of_run
from peftcore.metrics.scores import metric_range


def score_estimates(run: ScoredRun, population: Population = "this task") -> dict[str, Estimate]:
    """Return metric → its estimate for a population.

    Where answers do not give the stored scores (a metric without parts by item, answers that were
    not kept) the estimate is about these examples, with no items, and says so in its population.
    """
    return {
        metric: _estimate_score(run, metric, values, population)
        for metric, values in run.scores().items()
    }


def _estimate_score(
    run: ScoredRun, metric: str, values: list[float], population: Population
) -> Estimate:
    """Return the estimate of a metric from a run's answers, else from its stored scores."""
    table = table_of_run(run, metric) if population == "this task" else None
    if table is not None and has_items(table):
        return estimate(table, "this task", metric_range(metric))
    found = interval(values, metric_range(metric))
    limits = (found.mean, found.low, found.high, None, None)
    return Estimate(*limits, found.n, 0, "these examples", reason=found.reason)
