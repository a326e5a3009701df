"""Sweeps carried out: what is done when, and what survives failures and stops."""

import shutil

import pytest
from support.sweeps import TINY, Here, carried

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import execute, seed_shards
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.spec import Sweep
from peftcore.system import disk_space, people, rights
from peftcore.system.people import Person
from peftcore.training.planning import PATH_BYTES

pytestmark = pytest.mark.usefixtures("mine")


def test_a_sweep_is_done_part_by_part_and_goes_on_where_it_was_stopped():
    asked, store = Sweep.make(TINY), RunStore()
    first = Here(most=3)
    assert carried(asked, first).state == "failed"  # an engine that gave up half-way
    states = sweep_status.cell_states(asked.cells(), store)
    assert [s.done for s in states] == [True, False, False]
    second = Here()
    status = carried(asked, second)
    assert (status.state, status.done, status.of) == ("done", 6, 6)
    assert not set(first.seen) & set(second.seen)
    assert len(first.seen) + len(second.seen) == 6
    whole = [s.run for s in sweep_status.cell_states(asked.cells(), store)]
    assert {run.spec.id for run in whole} == {s.id for s in asked.specs()}
    assert all(len(run.scores()["accuracy"]) == 3 for run in whole)
    assert {run.id for run in store.all(include_demos=False)} == {run.id for run in whole}
    third = Here()
    assert carried(asked, third).state == "done"
    assert third.seen == []
    store.delete(whole[0].id)
    assert carried(asked, third).state == "done"
    assert third.seen == []  # its parts are there still
    assert len(store.all(include_demos=False)) == 3


def test_failed_parts_are_listed_left_alone_and_retried_alone():
    asked = Sweep.make(TINY | {"methods": ["lora"]})
    bad = asked.cells()[0].shards[1].id
    status = carried(asked, Here([bad]))
    assert status.state == "failed"
    assert "1 parts failed" in status.message
    assert "It broke." in status.message
    again = Here()
    assert carried(asked, again).state == "failed"
    assert again.seen == []
    assert carried(asked, again, retry=True).state == "done"
    assert again.seen == [bad]


def test_a_run_that_cannot_be_put_together_does_not_hold_up_the_others():
    asked, store = Sweep.make(TINY), RunStore()
    first = asked.cells()[0].shards[0]
    carried(asked, Here(most=1))
    part = seed_shards.shard_store(store).open(first.id)
    part.write_manifest(part.manifest() | {"data_hash": "other"})
    status = carried(asked, Here())
    assert status.state == "failed"
    assert "1 runs could not be put together" in status.message
    assert "different data" in status.message
    assert [s.done for s in sweep_status.cell_states(asked.cells(), store)] == [False, True, True]


def test_room_for_all_that_is_missing_is_asked_for_before_the_first_part(monkeypatch):
    asked = Sweep.make(TINY | {"methods": ["lora"]})
    parts = sum(len(cell.shards) for cell in asked.cells())
    needed = parts * PATH_BYTES + disk_space.RESERVE_BYTES
    free = [needed - 1]
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=free[0]))
    engine = Here()
    status = carried(asked, engine)
    assert (status.state, engine.seen) == ("failed", [])
    assert (
        f"{parts * PATH_BYTES / 1e6:,.0f} MB and a reserve of 100 MB are needed" in status.message
    )
    free[0] = needed
    assert carried(asked, engine).state == "done"


def test_more_runs_than_this_server_trains_in_a_sweep_are_refused(monkeypatch):
    monkeypatch.setenv("PEFTCORE_MAX_SWEEP_CELLS", "2")
    with pytest.raises(BadInput, match=r"at most 2 runs \(PEFTCORE_MAX_SWEEP_CELLS\)"):
        Sweep.make(TINY).specs()


def test_what_the_processes_of_a_killed_sweep_leave_is_trained_as_well(monkeypatch):
    asked, store = Sweep.make(TINY | {"methods": ["lora"]}), RunStore()
    [cell] = asked.cells()
    first = seed_shards.store_for(store, cell.spec, cell.shards[0]).create(
        cell.shards[0], include_demos=False
    )
    first.write_status(state="running")

    class Leaving(Here):
        """The orphan gives the first shard up while the others are trained."""

        def run_shards(self, todo, stop):
            yield from super().run_shards(todo, stop)
            if first.status().state == "running":
                first.write_status(state="cancelled")

    engine = Leaving()
    status = carried(asked, engine)
    assert (status.state, engine.seen) == ("done", [cell.shards[1].id, cell.shards[0].id])


def test_runs_belong_to_whoever_began_the_sweep():
    asked = Sweep.make(TINY | {"methods": ["lora"], "episodes": {"seeds": 1}})
    with people.acting_as(Person("ann", "experimenter")):
        rights.start("sweep", f"job {asked.id}")
    assert carried(asked, Here()).state == "done"
    [cell] = asked.cells()
    assert rights.owner_of(f"run {cell.spec.id}") == "ann"


def test_what_is_trained_elsewhere_for_long_is_said(monkeypatch):
    monkeypatch.setattr(execute, "ORPHAN_SECONDS", 0.1)
    asked, store = Sweep.make(TINY | {"methods": ["lora"]}), RunStore()
    [cell] = asked.cells()
    seed_shards.store_for(store, cell.spec, cell.shards[0]).create(
        cell.shards[0], include_demos=False
    ).write_status(state="running")
    status = carried(asked, Here())
    assert status.state == "failed"
    assert "1 parts are not done" in status.message
    assert "which is running: start the sweep again" in status.message
