"""Doing a sweep: an engine gets what is missing; cells whose parts are there become runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.runs.store import RunStore
from peftcore.sweeps import seed_shards
from peftcore.sweeps.engines.base import ENDED, Engine, Outcome, Work
from peftcore.sweeps.spec import Cell, SweepWork, label
from peftcore.sweeps.status import CellState, survey


def carry_out(
    work: SweepWork,
    engine: Engine,
    store: RunStore,
    retry: bool = False,
    report: Callable[[background.Status], None] = lambda status: None,
) -> background.Status:
    """Do what is missing, to the end or to where it is stopped.

    Parts that failed are left alone unless `retry`; BadInput at the end says how many there are.
    """
    cells = work.ask.cells()
    if work.status().state == "done" and not all(s.done for s in survey(cells, store)):
        work.write_status(state="stopped")  # runs were deleted since
    return work.carried_out(lambda: _all(work, cells, engine, store, retry, report))


def _all(
    work: SweepWork,
    cells: Sequence[Cell],
    engine: Engine,
    store: RunStore,
    retry: bool,
    report: Callable[[background.Status], None],
) -> None:
    if retry:
        forgive(cells, store)
    states = survey(cells, store)
    of = sum(len(cell.parts) for cell in cells)
    done = of - sum(part.state != "done" for state in states for part in state.parts)
    began, before = time.monotonic(), work.status().seconds
    report(work.write_status(state="working", done=done, of=of, message=""))
    owner = {part.id: cell for cell in cells for part in cell.parts}
    problems = [problem for cell in cells if (problem := _finish_if_whole(cell, store))]
    todo = [
        Work(part.spec, seed_shards.place(store, state.cell.spec, part.spec).folder)
        for state in states
        for part in state.parts
        if part.state not in ENDED
    ]
    for outcome in engine.work(todo, work.stop_asked):
        _note(work, owner[outcome.part], outcome)
        if outcome.state == "done":
            done += 1
            problems += filter(None, [_finish_if_whole(owner[outcome.part], store)])
        spent = before + time.monotonic() - began
        report(work.write_status(done=done, seconds=spent, message=_said(outcome)))
    if work.stop_asked():
        raise InterruptedError
    if problems:
        raise BadInput(f"{len(problems)} runs could not be put together, first {problems[0]}")
    _refuse_unfinished(survey(cells, store))


def _said(outcome: Outcome) -> str:
    return f"{outcome.part}: {outcome.message}" if outcome.state != "done" else ""


def _note(work: SweepWork, cell: Cell, outcome: Outcome) -> None:
    work.keep(
        {
            "what": "part",
            "run": outcome.part,
            "cell": cell.spec.id,
            "state": outcome.state,
            "message": outcome.message,
            "by": outcome.by,
        }
    )


def _finish_if_whole(cell: Cell, store: RunStore) -> str:
    """Put the run of a cell together once its parts are there; why that cannot be, if so."""
    [state] = survey([cell], store)
    if state.done or any(part.state != "done" for part in state.parts):
        return ""
    shelf = seed_shards.shelf(store)
    try:
        seed_shards.join(store, cell.spec, [shelf.open(part.id) for part in cell.parts])
    except BadInput as error:
        return f"{cell.spec.id} ({label(cell.spec)}): {error}"
    return ""


def _refuse_unfinished(states: Sequence[CellState]) -> None:
    failed = [part for state in states for part in state.failed]
    left = [part for s in states for part in s.parts if part.state not in ("done", "failed")]
    if failed:
        raise BadInput(
            f"{len(failed)} parts failed, first {failed[0].spec.id} ({label(failed[0].spec)}): "
            f"{failed[0].message} Mend it and retry them"
        )
    if left:
        raise BadInput(
            f"{len(left)} parts are not done, first {left[0].spec.id}, which is {left[0].state}: "
            "start the sweep again"
        )


def forgive(cells: Sequence[Cell], store: RunStore) -> None:
    """Let parts that failed be tried again."""
    for state in survey(cells, store):
        for part in state.failed:
            run = seed_shards.place(store, state.cell.spec, part.spec).open(part.spec.id)
            run.write_status(state="cancelled", message="Is tried again.", error_id="")
