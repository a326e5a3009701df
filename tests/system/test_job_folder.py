"""The folder of a job: what old versions wrote, faults that are written down, heartbeats."""

import json
import threading

import pytest

from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.system.job_folder import (
    JobFailed,
    JobStatus,
    heartbeat_thread,
    run_recording_errors,
)


@pytest.fixture
def run(home):
    return RunStore().create(RunSpec(base="b", task="t", method="m", training=Training(steps=1)))


@pytest.mark.parametrize(
    ("stored", "state", "phase"),
    [
        ("waiting", "queued", ""),
        ("working", "running", ""),
        ("stopped", "cancelled", ""),
        ("training", "running", "training"),
        ("answering", "running", "answering"),
        ("done", "done", ""),
    ],
)
def test_states_of_earlier_versions_are_read_as_todays(stored, state, phase):
    status = JobStatus.parse({"state": stored, "phase": "x" * (not phase), "other": 1})
    assert (status.state, status.phase) == (state, phase or ("x" if state == "running" else ""))


def test_a_status_of_an_earlier_version_opens(run):
    old = {"state": "done", "step": 7, "steps": 9, "seeds": [{"seed": 0}], "trainable": 5}
    (run.folder / "status.json").write_text(json.dumps(old))
    status = run.status()
    assert (status.step, status.steps, status.trainable) == (7, 9, 5)
    assert run.write_status(message="seen").seeds == [{"seed": 0}]


def test_a_stop_of_an_earlier_time_is_forgotten(run):
    run.request_stop()
    assert run.stop_requested()
    run.claim()
    assert run.stop_requested()  # it was asked for while the run waited
    run.write_status(state="cancelled")
    run.claim()
    assert not run.stop_requested()


def test_an_attempt_cut_short_by_the_keyboard_can_be_resumed(run):

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recording_errors(run, interrupted)
    assert run.status().state == "cancelled"


def test_an_attempt_at_a_run_somebody_has_changes_nothing(run):
    with run.lock(), pytest.raises(BadInput, match="another process"):
        run_recording_errors(run, lambda: None)
    assert run.status().state == "queued"


def test_an_attempt_that_fails_leaves_the_run_free(run):
    with pytest.raises(JobFailed, match="RuntimeError"):
        run_recording_errors(run, lambda: (_ for _ in ()).throw(RuntimeError("x")))
    with run.lock():
        assert run.status().state == "failed"


def test_a_heartbeat_lasts_as_long_as_its_block():
    beats, twice = [], threading.Event()
    with heartbeat_thread(
        lambda: beats.append(1) or (len(beats) > 1 and twice.set()), interval_seconds=0.001
    ):
        assert twice.wait(10)
    count = len(beats)
    assert not [t for t in threading.enumerate() if t.name == "heartbeat"]
    assert len(beats) == count
