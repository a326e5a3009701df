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

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
STEPS = 80  # enough to tell a rate that learns from one that crawls or diverges
PATIENT = "no better dev loss"  # how training words an early stop
WIDTH = 30.0  # a guided search looks between the default divided by this and times this
ANSWERED = 8  # examples answered by a run whose answers nobody reads


@dataclass(frozen=True)
class Outcome:
    """What one rate came to: mean over seeds of the best dev loss, None if there is none."""

    learning_rate: float
    dev_loss: float | None
    stopped: int  # seeds that diverged
    run: str


def parse(text: str) -> list[float]:
    """Rates written with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"rates are numbers with commas between them; got {text!r}") from None


def rates(default: float, factors: Sequence[float] = FACTORS) -> list[float]:
    """Rates around a default, rounded to two digits so that they can be typed again."""
    return [float(f"{default * factor:.2g}") for factor in factors]


def specs(
    spec: RunSpec, chosen: Sequence[float] | None = None, steps: int = STEPS
) -> list[RunSpec]:
    """One short run of a spec for each rate."""
    around = spec.training.learning_rate
    assert around is not None, "plan() fills it in"
    found = []
    for rate in chosen or [r for r in rates(around) if r <= 10]:
        training = spec.training.model_dump() | {"learning_rate": rate, "steps": steps}
        training["evaluate_every"] = min(training["evaluate_every"], max(1, steps // 4))
        evaluation = spec.evaluation.model_copy(update={"limit": ANSWERED})
        update = {"training": Training.make(training), "evaluation": evaluation}
        found.append(spec.model_copy(update=update))
    return found


def guided(
    spec: RunSpec, tries: int, work: Callable[[RunSpec], Run], steps: int = STEPS
) -> list[Outcome]:
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
    around = spec.training.learning_rate
    assert around is not None, "plan() fills it in"
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial({"rate": around})
    found: dict[str, Outcome] = {}
    for _ in range(tries):
        trial = study.ask()
        rate = trial.suggest_float("rate", around / WIDTH, min(10.0, around * WIDTH), log=True)
        [short] = specs(spec, [float(f"{rate:.2g}")], steps)
        outcome = _outcome(work(short))
        found[outcome.run] = outcome
        if outcome.dev_loss is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, outcome.dev_loss + 100.0 * outcome.stopped)
    return list(found.values())


def outcomes(runs: Iterable[Run]) -> list[Outcome]:
    """What each finished run of a sweep came to."""
    return [_outcome(run) for run in runs]


def best(found: Sequence[Outcome]) -> Outcome | None:
    """The lowest dev loss among the rates with the fewest diverged seeds."""
    judged = [outcome for outcome in found if outcome.dev_loss is not None]
    return min(judged, key=lambda o: (o.stopped, o.dev_loss), default=None)


def _outcome(run: Run) -> Outcome:
    seeds = run.status().seeds
    losses = [seed["best_dev"] for seed in seeds if seed["best_dev"] is not None]
    sound = losses and all(map(math.isfinite, losses))
    rate = run.spec.training.learning_rate
    assert rate is not None
    # Running out of patience is a good end; every other early end is a divergence.
    diverged = sum(not (seed["stopped"] or PATIENT).startswith(PATIENT) for seed in seeds)
    return Outcome(rate, sum(losses) / len(losses) if sound else None, diverged, run.id)
