"""How long a measurement will take, judged by how long its run took: before anything is loaded.

A run's history says what a training row cost, and with it a row that is only read; the time of its
answers says what an answer cost. A measurement counts the rows it will read and answer. Needs no
torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from peftcore.runs.store import Run

STEP_READINGS = 2.0  # times reading a row that a training row takes: there, and back


@dataclass(frozen=True)
class RowTimes:
    """Seconds that a row takes: to be read once, and to be answered."""

    read: float
    answer: float


@dataclass(frozen=True)
class RowCounts:
    """Rows of a measurement: how many are read, and how many answered."""

    read: int
    answered: int = 0

    def seconds(self, times: RowTimes) -> float:
        """Return how long all of them take."""
        return self.read * times.read + self.answered * times.answer


def row_times(run: Run) -> RowTimes | None:
    """Return what rows cost in a finished run, where it was trained; None if unknown."""
    spec, history, status = run.spec, run.history(), run.status()
    if history.empty or "seconds" not in history:
        return None
    trained, t = float(history["seconds"].max()), spec.training
    simplex = spec.population.vertices > 1 and t.validation == "stochastic"
    looks = int(history["step"].nunique()) * t.dev * (1 + t.copies * simplex)
    steps = int(history["step"].max()) * t.batch * STEP_READINGS
    read = trained / spec.population.seeds / max(1.0, steps + looks)
    answered = spec.population.seeds * max(1, run.answers()["example"].nunique())
    return RowTimes(read, max(0.0, status.seconds - trained) / answered)


def measurement_seconds(run: Run, rows: RowCounts) -> float | None:
    """Return about how long so many rows take, None where the run tells nothing."""
    times = row_times(run)
    return None if times is None else rows.seconds(times)
