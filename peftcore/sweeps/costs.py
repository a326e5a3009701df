"""Estimate what is left of a sweep: by trial steps here, by counting on machines elsewhere."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.sweeps.spec import spec_label
from peftcore.sweeps.status import CellState
from peftcore.training.planning import CostEstimate


@dataclass(frozen=True)
class SweepPreview:
    """The work left in a sweep, in time on this machine."""

    cells: int
    done: int  # cells
    parts: int  # that are missing
    minutes: float | None  # with these processes; None: it cannot be estimated
    problems: tuple[str, ...]  # why cells cannot run, once each


def preview_cost(
    states: Sequence[CellState],
    estimate: Callable[[RunSpec], CostEstimate | BadInput | None],
    processes: int,
) -> SweepPreview:
    """Estimate the work left from a trial of one shard of each cell."""
    seconds, problems, unknown, parts = 0.0, [], False, 0
    for state in states:
        left = [part.spec for part in state.shards if part.state != "done"]
        parts += len(left)
        if not left:
            continue
        cost = estimate(left[0])
        if isinstance(cost, BadInput):
            problems.append(f"{spec_label(state.cell.spec)}: {cost}")
        elif cost is None or cost.seconds is None:
            unknown = True
        else:
            share = cost.seconds / left[0].population.seeds
            seconds += share * sum(spec.population.seeds for spec in left)
    minutes = None if unknown or problems else seconds / 60 / min(processes, max(1, parts))
    done = sum(state.done for state in states)
    return SweepPreview(len(states), done, parts, minutes, tuple(dict.fromkeys(problems)))


@dataclass(frozen=True)
class Extrapolation:
    """The time of a sweep on machines that are not here, by counting operations."""

    parts: int  # that are missing
    operations: float
    hours: dict[int, float]  # machines → hours, a part being done by one of them


def extrapolate_cost(
    states: Sequence[CellState],
    count: Callable[[RunSpec], float],
    rate: float,
    machines: Sequence[int],
) -> Extrapolation:
    """Estimate the work left on so many machines, each of `rate` operations a second.

    count gives a shard's operations. Shards are assigned in order, each to whichever machine is
    free first.
    """
    costs = [count(part.spec) for state in states for part in state.shards if part.state != "done"]
    hours = {}
    for number in machines:
        busy = [0.0] * number
        for cost in costs:
            heapq.heapreplace(busy, busy[0] + cost / rate / 3600)
        hours[number] = max(busy)
    return Extrapolation(len(costs), sum(costs), hours)
