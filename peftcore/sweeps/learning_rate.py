"""A search for learning rates: short runs around the default, judged by their dev loss.

A few fixed rates, or as many as wanted where each is chosen by what the ones before came to.
Scores are left out of the judgement on purpose: the test split must not choose the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec, Training
from peftcore.runs.store import Run

RATE_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
SEARCH_STEPS = 80  # enough to tell a rate that learns from one that crawls or diverges
EARLY_STOP_MESSAGE = "no better dev loss"  # how training words an early stop
SEARCH_FACTOR = 30.0  # a guided search looks between the default divided by this and times this
ANSWER_LIMIT = 8  # examples answered by a run whose answers nobody reads


@dataclass(frozen=True)
class LearningRateTrial:
    """What one rate came to: mean over seeds of the best dev loss, None if there is none."""

    learning_rate: float
    dev_loss: float | None
    stopped: int  # seeds that diverged
    run: str


def parse_learning_rates(text: str) -> list[float]:
    """Rates written with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"rates are numbers with commas between them; got {text!r}") from None


def learning_rates_around(default: float, factors: Sequence[float] = RATE_FACTORS) -> list[float]:
    """Rates around a default, rounded to two digits so that they can be typed again."""
    return [float(f"{default * factor:.2g}") for factor in factors]


def search_specs(
    spec: RunSpec, learning_rates: Sequence[float] | None = None, steps: int = SEARCH_STEPS
) -> list[RunSpec]:
    """One short run of a spec for each rate."""
    default_rate = spec.training.learning_rate
    assert default_rate is not None, "plan() fills it in"
    short_specs = []
    for rate in learning_rates or [r for r in learning_rates_around(default_rate) if r <= 10]:
        training = spec.training.model_dump() | {"learning_rate": rate, "steps": steps}
        training["evaluate_every"] = min(training["evaluate_every"], max(1, steps // 4))
        evaluation = spec.evaluation.model_copy(update={"limit": ANSWER_LIMIT})
        update = {"training": Training.make(training), "evaluation": evaluation}
        short_specs.append(spec.model_copy(update=update))
    return short_specs


def guided_search(
    spec: RunSpec, trials: int, train: Callable[[RunSpec], Run], steps: int = SEARCH_STEPS
) -> list[LearningRateTrial]:
    """Short runs at rates that optuna's tree-structured estimator proposes, the default first.

    Diverged seeds count more than any loss.  `work` brings one run to its end.  The same spec is
    always searched in the same way.
    """
    try:
        import optuna
    except ImportError:
        raise BadInput(
            "a guided search needs optuna: pip install -r requirements-extra.txt"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    default_rate = spec.training.learning_rate
    assert default_rate is not None, "plan() fills it in"
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
    """What each finished run of a sweep came to."""
    return [_trial_of_run(run) for run in runs]


def best_trial(trials: Sequence[LearningRateTrial]) -> LearningRateTrial | None:
    """The lowest dev loss among the rates with the fewest diverged seeds."""
    with_loss = [outcome for outcome in trials if outcome.dev_loss is not None]
    return min(with_loss, key=lambda o: (o.stopped, o.dev_loss), default=None)


def _trial_of_run(run: Run) -> LearningRateTrial:
    seeds = run.status().seeds
    losses = [seed["best_dev"] for seed in seeds if seed["best_dev"] is not None]
    all_finite = losses and all(map(math.isfinite, losses))
    rate = run.spec.training.learning_rate
    assert rate is not None
    # Running out of patience is a good end; every other early end is a divergence.
    diverged = sum(
        not (seed["stopped"] or EARLY_STOP_MESSAGE).startswith(EARLY_STOP_MESSAGE) for seed in seeds
    )
    return LearningRateTrial(
        rate, sum(losses) / len(losses) if all_finite else None, diverged, run.id
    )
