"""A small sweep over learning rates: short runs around the default, judged by their dev loss.

Scores are left out of the judgement on purpose: the test split must not choose the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peftcore.errors import BadInput
from peftcore.runs import Run
from peftcore.spec import RunSpec, Training

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
STEPS = 80  # enough to tell a rate that learns from one that crawls or diverges
PATIENT = "no better dev loss"  # how training words an early stop
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
