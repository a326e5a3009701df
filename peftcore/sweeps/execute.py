"""Execute a sweep: an engine trains what is missing; cells with all shards become runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.runs import disk_use
from peftcore.runs.store import RunStore
from peftcore.sweeps import seed_shards
from peftcore.sweeps.engines.base import NOT_STARTABLE_STATES, Engine, Shard, ShardOutcome
from peftcore.sweeps.spec import SweepCell, SweepJob, spec_label
from peftcore.sweeps.status import CellState, cell_states
from peftcore.system import disk_space, rights
from peftcore.training.planning import PATH_BYTES

ORPHAN_SECONDS = 10.0  # that shards of a killed sweep are waited for
POLL_SECONDS = 0.2


def run_sweep(
    sweep_job: SweepJob,
    engine: Engine,
    store: RunStore,
    retry: bool = False,
    report: Callable[[background.JobStatus], None] = lambda status: None,
) -> background.JobStatus:
    """Train what is missing, to the end or to where it is stopped.

    Shards that failed are left alone unless `retry`; BadInput at the end says how many there are.
    """
    cells = sweep_job.request.cells()
    if sweep_job.status().state == "done" and not all(s.done for s in cell_states(cells, store)):
        sweep_job.write_status(state="cancelled")  # runs were deleted since
    return sweep_job.run(
        lambda: _run_missing_shards(sweep_job, cells, engine, store, retry, report)
    )


def _run_missing_shards(
    sweep_job: SweepJob,
    cells: Sequence[SweepCell],
    engine: Engine,
    store: RunStore,
    retry: bool,
    report: Callable[[background.JobStatus], None],
) -> None:
    """Train the missing shards and join the cells that become complete."""
    if retry:
        reset_failed_shards(cells, store)
    states = cell_states(cells, store)
    of = sum(len(cell.shards) for cell in cells)
    done = of - sum(part.state != "done" for state in states for part in state.shards)
    began, before = time.monotonic(), sweep_job.status().seconds
    report(sweep_job.write_status(done=done, of=of, message=""))
    cell_of_shard = {part.id: cell for cell in cells for part in cell.shards}
    problems = [problem for cell in cells if (problem := _join_if_complete(cell, store))]
    outcomes = (
        outcome
        for todo in _startable_shards(cells, states, store, sweep_job)
        for outcome in engine.run_shards(todo, sweep_job.stop_requested)
    )
    for outcome in outcomes:
        cell = cell_of_shard[outcome.shard_id]
        _record_outcome(sweep_job, cell, outcome)
        if outcome.state == "done":
            done += 1
            problems += filter(None, [_join_if_complete(cell, store)])
            rights.inherit(f"run {cell.spec.id}", sweep_job.called)
        spent = before + time.monotonic() - began
        report(sweep_job.write_status(done=done, seconds=spent, message=_failure_message(outcome)))
    if sweep_job.stop_requested():
        raise InterruptedError
    if problems:
        raise BadInput(f"{len(problems)} runs could not be put together, first {problems[0]}")
    _refuse_unfinished(cell_states(cells, store))


def _startable_shards(
    cells: Sequence[SweepCell], states: Sequence[CellState], store: RunStore, sweep_job: SweepJob
) -> Iterator[list[Shard]]:
    """Yield the shards that can be trained now, then those that other processes have left.

    The processes of a sweep that was killed end with their step; until then their shards seem to be
    trained elsewhere. BadInput where the disk has no room for all.
    """
    todo = _startable(states, store)
    elsewhere = {p.spec.id for state in states for p in state.shards if p.state == "running"}
    disk_space.require_space(sweep_job.folder, room_needed(states, len(todo) + len(elsewhere)))
    yield todo
    deadline = time.monotonic() + ORPHAN_SECONDS
    while elsewhere and not sweep_job.stop_requested() and time.monotonic() < deadline:
        states = cell_states(cells, store)
        left = [shard for shard in _startable(states, store) if shard.spec.id in elsewhere]
        running = {p.spec.id for state in states for p in state.shards if p.state == "running"}
        elsewhere &= running
        if left:
            yield left
        time.sleep(POLL_SECONDS if elsewhere else 0)


def _startable(states: Sequence[CellState], store: RunStore) -> list[Shard]:
    """List the shards that are not done, not failed, and not being trained."""
    return [
        Shard(part.spec, seed_shards.store_for(store, state.cell.spec, part.spec).folder)
        for state in states
        for part in state.shards
        if part.state not in NOT_STARTABLE_STATES
    ]


def room_needed(states: Sequence[CellState], missing: int) -> int:
    """Return the bytes that so many shards will take: as many each as the largest that is done.

    Before the first is done, what a run's path may take; its checkpoint is asked for by itself.
    """
    done = [state.run for state in states if state.run]
    largest = max((sum(disk_use.disk_use(run).values()) for run in done), default=PATH_BYTES)
    return missing * largest


def _failure_message(outcome: ShardOutcome) -> str:
    """Return an outcome's message if it failed, else ""."""
    return f"{outcome.shard_id}: {outcome.message}" if outcome.state != "done" else ""


def _record_outcome(sweep_job: SweepJob, cell: SweepCell, outcome: ShardOutcome) -> None:
    """Append a shard's outcome to the job's values."""
    sweep_job.append_value(
        {
            "what": "part",
            "run": outcome.shard_id,
            "cell": cell.spec.id,
            "state": outcome.state,
            "message": outcome.message,
            "by": outcome.worker,
        }
    )


def _join_if_complete(cell: SweepCell, store: RunStore) -> str:
    """Join a cell's shards to its run if all are there; return why that failed, if so."""
    [state] = cell_states([cell], store)
    if state.done or any(part.state != "done" for part in state.shards):
        return ""
    shards = seed_shards.shard_store(store)
    try:
        seed_shards.join_shards(store, cell.spec, [shards.open(part.id) for part in cell.shards])
    except BadInput as error:
        return f"{cell.spec.id} ({spec_label(cell.spec)}): {error}"
    return ""


def _refuse_unfinished(states: Sequence[CellState]) -> None:
    """Raise BadInput if shards failed or are left."""
    failed = [part for state in states for part in state.failed]
    left = [part for s in states for part in s.shards if part.state not in ("done", "failed")]
    if failed:
        raise BadInput(
            f"{len(failed)} parts failed, first {failed[0].spec.id} "
            f"({spec_label(failed[0].spec)}): "
            f"{failed[0].message} Mend it and retry them"
        )
    if left:
        raise BadInput(
            f"{len(left)} parts are not done, first {left[0].spec.id}, which is {left[0].state}: "
            "start the sweep again"
        )


def reset_failed_shards(cells: Sequence[SweepCell], store: RunStore) -> None:
    """Let failed shards be tried again."""
    for state in cell_states(cells, store):
        for part in state.failed:
            run = seed_shards.store_for(store, state.cell.spec, part.spec).open(part.spec.id)
            run.write_status(state="cancelled", message="Is tried again.", error_id="")
