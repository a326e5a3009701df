"""A search for learning rates: short runs around the default, compared by their dev loss.

A few fixed rates, or as many as wanted where each is chosen by the results of those before it.
Scores are left out on purpose: the test split must not choose the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.grid import RunGrid, axis, vary

RATE_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
SEARCH_STEPS = 80  # enough to tell a rate that learns from one that crawls or diverges
EARLY_STOP_MESSAGE = "no better dev loss"  # how training words an early stop
SEARCH_FACTOR = 30.0  # a guided search looks between the default divided by this and times this
ANSWER_LIMIT = 8  # examples answered by a run whose answers nobody reads


@dataclass(frozen=True)
class LearningRateTrial:
    """The result of one rate: mean over seeds of the best dev loss, None without any.

    Where runs keep the step with most dev labels right, their share at that step comes first.
    """

    learning_rate: float
    dev_loss: float | None
    stopped: int  # seeds that diverged
    run: str
    dev_score: float | None = None  # mean share of dev labels right, where that chose the step


def parse_learning_rates(text: str) -> list[float]:
    """Parse rates with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"rates are numbers with commas between them; got {text!r}") from None


def learning_rates_around(default: float, factors: Sequence[float] = RATE_FACTORS) -> list[float]:
    """Return rates around a default, rounded to two digits so that they can be typed."""
    return [float(f"{default * factor:.2g}") for factor in factors]


def search_specs(
    spec: RunSpec, learning_rates: Sequence[float] | None = None, steps: int = SEARCH_STEPS
) -> list[RunSpec]:
    """Build one short run of a spec for each rate; BadInput where nothing is trained."""
    _refuse_without_rate(spec)
    rates = learning_rates or [r for r in learning_rates_around(_rate(spec)) if r <= 10]
    evaluate_every = min(spec.training.evaluate_every, max(1, steps // 4))
    short_spec = vary(
        spec,
        {
            "training.steps": steps,
            "training.evaluate_every": evaluate_every,
            "evaluation.limit": ANSWER_LIMIT,
        },
    )
    return RunGrid.around(short_spec, axis("training.learning_rate", rates)).specs


def can_search(spec: RunSpec) -> bool:
    """Return whether a spec trains something, at a rate that others can lie around."""
    return METHODS[spec.method].trains() and bool(spec.training.learning_rate)


def _refuse_without_rate(spec: RunSpec) -> None:
    """Raise BadInput for a method that trains nothing."""
    if not METHODS[spec.method].trains():
        raise BadInput(f"{METHODS[spec.method].title} trains nothing: it has no learning rate")


def _rate(spec: RunSpec) -> float:
    return spec.training.learning_rate or 0.0  # 0 where nothing is trained


def guided_search(
    spec: RunSpec, trials: int, train: Callable[[RunSpec], Run], steps: int = SEARCH_STEPS
) -> list[LearningRateTrial]:
    """Train short runs at rates that optuna's tree-structured estimator proposes.

    The first is the default; diverged seeds count more than any loss.  `train` brings one run to
    its end.  The same spec is always searched in the same way.
    """
    _refuse_without_rate(spec)
    try:
        import optuna
    except ImportError:
        raise BadInput(
            "a guided search needs optuna: pip install -r requirements-extra.txt"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    default_rate = _rate(spec)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial({"rate": default_rate})
    by_run: dict[str, LearningRateTrial] = {}
    for _ in range(trials):
        trial = study.ask()
        rate = trial.suggest_float(
            "rate", default_rate / SEARCH_FACTOR, min(10.0, default_rate * SEARCH_FACTOR), log=True
        )
        [short] = search_specs(spec, [float(f"{rate:.2g}")], steps)
        outcome = _trial_of_run(train(short))
        by_run[outcome.run] = outcome
        if outcome.dev_loss is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, outcome.dev_loss + 100.0 * outcome.stopped)
    return list(by_run.values())


def finished_trials(runs: Iterable[Run]) -> list[LearningRateTrial]:
    """Summarise each finished run of a search."""
    return [_trial_of_run(run) for run in runs]


def known_trials(spec: RunSpec, store: RunStore) -> list[LearningRateTrial]:
    """Summarise the finished runs of a spec's search; empty without its base, or one to search."""
    if not can_search(spec) or not catalog.is_at_hand(spec.base):
        return []
    runs = [store.find(short) for short in search_specs(spec)]
    return finished_trials(run for run in runs if run and run.status().state == "done")


def best_trial(trials: Sequence[LearningRateTrial]) -> LearningRateTrial | None:
    """Return the best on dev among the rates with the fewest diverged seeds."""
    with_loss = [outcome for outcome in trials if outcome.dev_loss is not None]
    return min(
        with_loss, key=lambda o: (o.stopped, -(o.dev_score or 0.0), o.dev_loss), default=None
    )


def _trial_of_run(run: Run) -> LearningRateTrial:
    seeds = run.status().seeds
    losses = [seed["best_dev"] for seed in seeds if seed["best_dev"] is not None]
    all_finite = losses and all(map(math.isfinite, losses))
    # Running out of patience is a good end; every other early end is a divergence.
    diverged = sum(
        not (seed["stopped"] or EARLY_STOP_MESSAGE).startswith(EARLY_STOP_MESSAGE) for seed in seeds
    )
    dev_loss = sum(losses) / len(losses) if all_finite else None
    scores = [seed["best_score"] for seed in seeds if seed.get("best_score") is not None]
    score = sum(scores) / len(seeds) if scores else None
    return LearningRateTrial(_rate(run.spec), dev_loss, diverged, run.id, score)
