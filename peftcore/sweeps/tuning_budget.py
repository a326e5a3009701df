"""How much of a method's lead is tuning: the best of k tried learning rates, as k grows.

Methods that were tried more often look better, so a comparison says how many tries each had, and a
curve shows what the best of k of them is expected to be: the mean over all choices of k out of the
n tries (Dodge et al. 2019, here without replacement). Tries are judged by dev loss; the test split
chooses nothing. Every method is read off at the same k, the number of tries of the one with fewest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from peftcore.adapters import measured_rates
from peftcore.errors import BadInput
from peftcore.reports.tuning import TriedRates
from peftcore.runs.by_spec import remembered
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.sweeps.learning_rate import LearningRateTrial, finished_trials

CURVE_COLUMNS = ["run", "tries", "dev_loss", "failed"]


@dataclass(frozen=True)
class TuningBudget:
    """The tries of one run's method: rates tried alike, and how many seeds and steps each had."""

    run: str
    trials: tuple[LearningRateTrial, ...]
    steps: int
    seeds: int

    @property
    def tries(self) -> int:
        """Return how many learning rates were tried."""
        return len({trial.learning_rate for trial in self.trials})


def find_budget(run: Run, runs: Iterable[Run]) -> TuningBudget:
    """Find the tries of a run's method: finished runs that differ from it in the rate alone.

    Short runs of a search may also differ in steps, seeds, looks and answers, alike among
    themselves; of several such searches the one with most rates counts. A run without any is its
    own only try. The searches behind demo runs do not ship; what they came to is kept in
    `measured_rates`.
    """
    wanted = _what_is_tuned(run.spec)
    groups: dict[tuple[int, int, str], dict[float, Run]] = {}
    for each in (run, *runs):
        # Of thousands of runs few are alike, and a status is read from its file.
        if _what_is_tuned(each.spec) != wanted or each.status().state != "done":
            continue
        size = each.spec.training.steps, each.spec.population.seeds
        key = (*size, _size_digest(each.spec))
        groups.setdefault(key, {})[each.spec.training.learning_rate or 0.0] = each
    if not groups:
        raise BadInput(f"run {run.id} is {run.status().state}; only finished runs were tried")
    (steps, seeds, _), found = max(groups.items(), key=lambda item: (len(item[1]), item[0][0]))
    kept = _kept_search(run)
    if kept is not None and len(kept) > len(found):
        return TuningBudget(run.id, kept, steps, 1)
    return TuningBudget(run.id, tuple(finished_trials(found.values())), steps, seeds)


def _kept_search(run: Run) -> tuple[LearningRateTrial, ...] | None:
    """Return the tries that a demo run's rate is from; None for other runs."""
    spec = run.spec
    search = measured_rates.find_search(
        spec.base, spec.task, spec.method, spec.population.vertices, spec.training.learning_rate
    )
    if search is None:
        return None
    return tuple(
        LearningRateTrial(rate, loss, 0, run.id, score)
        for rate, (score, loss) in search.tries.items()
    )


@remembered
def _what_is_tuned(spec: RunSpec) -> str:
    """Return all that tries of a rate share, as text."""
    value = spec.model_dump(mode="json")
    for name in ("learning_rate", "steps", "evaluate_every"):
        value["training"].pop(name)
    value["population"].pop("seeds")
    value.pop("evaluation")
    return json.dumps(value, sort_keys=True)


def _size_digest(spec: RunSpec) -> str:
    """Return what tries must also share to be set beside each other."""
    value = [spec.training.evaluate_every, spec.evaluation.model_dump(mode="json")]
    return json.dumps(value, sort_keys=True)


def expected_best(losses: Sequence[float | None], k: int) -> tuple[float | None, float]:
    """Return the expected lowest of k of n losses, and the chance that all k failed.

    Over all choices of k tries, those in which every try failed (None or not finite) left out.
    BadInput unless k lies between 1 and n.
    """
    n = len(losses)
    if not 1 <= k <= n:
        raise BadInput(f"the best of {k} tries of {n} cannot be had")
    known = sorted(loss for loss in losses if loss is not None and math.isfinite(loss))
    choices = math.comb(n, k)
    failed = math.comb(n - len(known), k) / choices
    if not known:
        return None, failed
    # The i-th smallest is the best of k where the others come from the n - i - 1 behind it.
    weights = [math.comb(n - i - 1, k - 1) / choices for i in range(len(known))]
    return sum(w * v for w, v in zip(weights, known, strict=True)) / sum(weights), failed


def budget_curves(budgets: Sequence[TuningBudget]) -> pd.DataFrame:
    """Return the expected best dev loss of 1, 2, … tries of each run's method; CURVE_COLUMNS."""
    rows = []
    for budget in budgets:
        losses = [trial.dev_loss for trial in budget.trials]
        for k in range(1, len(losses) + 1):
            rows.append((budget.run, k, *expected_best(losses, k)))
    return pd.DataFrame(rows, columns=CURVE_COLUMNS).astype({"dev_loss": float})


def tried_rates(runs: Sequence[Run], kept: Iterable[Run]) -> list[TriedRates]:
    """Return what a report says of the tries of finished runs; nothing where a rate is unknown."""
    known = [run for run in kept if run.spec.training.learning_rate is not None]
    runs = [run for run in runs if run.status().state == "done"]
    if any(run.spec.training.learning_rate is None for run in runs):
        return []
    found = []
    for run in runs:
        budget = find_budget(run, known)
        losses = [trial.dev_loss for trial in budget.trials]
        best = tuple(expected_best(losses, k + 1)[0] for k in range(len(losses)))
        found.append(TriedRates(run.id, budget.tries, budget.steps, budget.seeds, best))
    return found


def describe_tries(budgets: Sequence[TuningBudget], names: Mapping[str, str]) -> str:
    """Say how many learning rates each method was tried at, in one sentence.

    names: the runs' names by id.
    """
    counts: dict[int, list[str]] = {}
    for budget in budgets:
        counts.setdefault(budget.tries, []).append(names.get(budget.run, budget.run))
    if len(counts) == 1:
        [tries] = counts
        return f"Learning rates tried for each: {tries}."
    parts = [f"{tries} for {' and '.join(who)}" for tries, who in sorted(counts.items())]
    return f"Learning rates tried differ: {', '.join(parts)}."
