"""Measurements as folders: asks and their ids, states, stops, turns, and what comes in."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from pydantic import Field

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.jobs.background import AdapterRef, BackgroundJob
from peftcore.jobs.queue import Queue
from peftcore.labs.atoms.request import AtomsRequest as AtomAsk
from peftcore.labs.landscape.request import LandscapeJob
from peftcore.labs.landscape.request import LandscapeRequest as LandscapeAsk
from peftcore.runs.spec import RunSpec
from peftcore.system import atomic_files, processes
from peftcore.system.job_folder import JobFailed

RUN = "0123456789ab"


class Ask(background.JobRequest):
    kind: str = Field("count", description="What is counted")
    most: int = Field(3, ge=1, description="How far")

    def command(self):
        return ["-c", "print"]


@dataclass(frozen=True)
class Count(BackgroundJob, kind="counts"):
    request: Ask
    FOLDER_NAME: ClassVar[str] = "counts"
    REQUEST: ClassVar[type[background.JobRequest]] = Ask
    EXTRA_FILES: ClassVar[tuple[str, ...]] = ("extra.bin",)


def ask(**fields):
    return Ask.make({"runs": [RUN]} | fields)


@pytest.fixture
def no_worker(monkeypatch):
    """The lanes that a worker would have been started for."""
    lanes = []
    monkeypatch.setattr(background, "ensure_worker", lambda lane, _: lanes.append(lane))
    return lanes


def test_equal_asks_are_one_whatever_is_written_out():
    assert ask().id == ask(most=3).id
    assert len({ask().id, ask(most=4).id, ask(runs=["b" * 12]).id}) == 3
    assert ask(most=4).command_arguments() == ["-c", "print", "--set", "most=4"]


def test_ids_are_those_of_the_measurements_that_are_shipped():
    kinds = {"landscapes": LandscapeAsk, "atoms": AtomAsk}
    shipped = [(p, kinds[s]) for s in kinds for p in (paths.ASSETS / s).glob("*/ask.json")]
    assert len(shipped) > 10
    for path, kind in shipped:
        assert kind.make(atomic_files.read_json(path)).id == path.parent.name


def test_adapters_are_named_by_run_step_and_seed():
    assert AdapterRef.parse("0123456789ab@20/3") == AdapterRef("0123456789ab", 20, 3)
    assert AdapterRef.parse("0123456789ab") == AdapterRef("0123456789ab")
    for wrong in ("", "../x", "0123456789ab@", "0123456789abc"):
        with pytest.raises(BadInput, match="RUN@STEP"):
            AdapterRef.parse(wrong)


def test_one_is_found_again_and_the_shipped_one_will_do_when_it_is_done(monkeypatch, tmp_path):
    assert Count.find(ask()) is None
    count = Count.create(ask())
    assert Count.find(ask()) == count
    assert Count.list_all() == [count]
    monkeypatch.setattr(Count, "assets", lambda: count.folder.parent)
    monkeypatch.setattr(Count, "home", lambda: tmp_path / "counts")
    assert not Count.create(ask()).shipped  # half done: this workspace begins its own
    count.write_status(state="done")
    (tmp_path / "counts" / ask().id / "ask.json").unlink()
    assert Count.create(ask()).shipped


def test_an_ask_of_another_version_is_passed_over():
    count = Count.create_own(ask())
    atomic_files.replace_file(
        count.folder / "ask.json", json.dumps({"runs": [RUN], "fewest": 1}).encode()
    )
    assert Count.list_all() == []


def test_work_is_done_once_and_what_came_in_is_kept():
    count, done = Count.create_own(ask()), []

    def work():
        done.append(count.status().state)
        count.append_value({"what": "loss", "at": [0], "values": [1.0]})
        count.append_value({"measure": "height", "value": 2.0})

    assert count.run(work).state == "done"
    assert count.run(work).state == "done"
    assert done == ["running"]
    assert len(count.entries()) == 2
    assert count.measures()["value"].tolist() == [2.0]
    (count.folder / "extra.bin").touch()
    count.clear()
    assert count.entries() == []
    assert not (count.folder / "extra.bin").exists()


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (BadInput("width must be 1 to 4; got 5"), BadInput, "width must be 1 to 4; got 5"),
        (ZeroDivisionError("x"), JobFailed, "an error of type ZeroDivisionError; the log has it"),
    ],
)
def test_a_fault_is_written_down_and_reaches_the_caller(fault, error, message):
    def work():
        raise fault

    count = Count.create_own(ask())
    with pytest.raises(error, match=message):
        count.run(work)
    status = count.status()
    assert (status.state, status.process) == ("failed", None)
    assert message in status.message
    assert status.error_id in count.log()


def test_a_stop_keeps_what_was_measured():
    count = Count.create_own(ask())

    def work():
        count.append_value({"measure": "height", "value": 2.0})
        count.stop()
        if count.stop_requested():
            raise InterruptedError

    status = count.run(work)
    assert status.state == "cancelled"
    assert "kept" in status.message
    assert len(count.entries()) == 1


def test_a_stop_before_the_launched_process_has_begun_is_heeded():
    count, done = Count.create_own(ask()), []
    count.write_status(
        state="queued", process=vars(processes.current_process())
    )  # as `launch` does
    count.stop()
    assert count.run(lambda: done.append(1)).state == "cancelled"
    assert count.run(lambda: done.append(2)).state == "done"  # the next one starts afresh
    assert done == [2]


def test_nobody_else_works_on_one_at_the_same_time():
    count = Count.create_own(ask())
    with count.lock(), pytest.raises(BadInput, match="another process"):
        count.run(lambda: None)


def test_one_that_waits_in_the_queue_is_stopped_at_once(no_worker):
    count = Count.start(ask())
    assert (count.status().state, no_worker) == ("queued", ["measure"])
    count.stop()
    assert count.status().state == Queue().job_for(count.id).state == "cancelled"
    count.launch()
    assert count.status().state == "queued"
    assert len(Queue().jobs()) == 2


def test_every_job_of_every_kind_is_listed_newest_first(no_worker):
    measured = LandscapeJob.start(LandscapeAsk.make({"runs": [RUN]}))
    trained = Queue().submit(RunSpec(base="b", task="t", method="m"))
    assert [(job.KIND, job.id) for job in background.all_jobs()] == [
        ("train", trained.run_id),
        ("landscape", measured.id),
    ]
    assert {job.status().state for job in background.all_jobs()} == {"queued"}
    assert background.find_job(measured.id) == measured
    with pytest.raises(BadInput, match="no run"):
        background.find_job("0" * 12)
    kinds = {"train", "landscape", "atoms", "images", "toys", "sweep"}
    assert background.job_kinds().keys() >= kinds


def test_a_kind_has_one_class():
    with pytest.raises(TypeError, match="two kinds of jobs are called 'counts'"):
        type("Other", (BackgroundJob,), {}, kind="counts")


def test_what_claims_to_work_without_a_process_is_lost():
    count = Count.create_own(ask())
    gone = replace(processes.current_process(), started=1.0)
    count.write_status(state="running", process=vars(gone))
    assert count.status().state == "lost"
    count.stop()
    assert count.status().state == "cancelled"


def test_time_left_goes_by_the_speed_so_far():
    count = Count.create_own(ask())
    assert count.status().left is None
    assert count.write_status(done=10, of=40, seconds=5.0).left == 15.0


def test_what_is_done_or_under_way_is_not_queued(no_worker):
    count = Count.create_own(ask())
    for state in ("done", "running"):
        count.write_status(state=state)
        count.launch()
        assert count.status().state == state
    assert Queue().jobs() == []
