"""What a command does without the queue has an owner and counts for quotas."""

import time

import pytest

from peftcore.errors import BadInput
from peftcore.jobs import foreground, quotas
from peftcore.jobs.queue import Queue
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system import people, rights
from peftcore.system.people import Person

ANN, BOB = Person("ann", "experimenter"), Person("bob", "experimenter")


def spec(n):
    return RunSpec(base="b", task="t", method=f"m{n}")


@pytest.fixture
def queue():
    return Queue()


def test_what_a_command_does_itself_is_owned_and_counts(queue, monkeypatch):
    monkeypatch.setenv("PEFTCORE_QUOTA_HOURS", "2")
    begun, clock = RunStore().create(spec(0)), [time.time() - 3 * 3600]
    monkeypatch.setattr(foreground.time, "time", lambda: clock[0])
    with people.acting_as(ANN):
        with foreground.counted("train", begun, begun.spec, "cpu"):
            clock[0] += 2.5 * 3600
            begun.write_status(state="done")
        assert rights.owner_of(f"run {begun.id}") == "ann"
        assert quotas.quota_of("ann", queue.database, queue.store.folder).hours_used > 2.4
        row = queue.job_for(begun.id)
        assert (row.state, row.message) == ("done", "By a command, without the queue.")
        more = foreground.counted("train", RunStore().create(spec(1)), spec(1), "cpu")
        with pytest.raises(BadInput, match="ask an admin"), more:
            raise AssertionError("it was begun")
    again = foreground.counted("train", begun, begun.spec, "cpu")
    with people.acting_as(BOB), pytest.raises(rights.NotAllowed, match="belongs to ann"), again:
        raise AssertionError("it was begun")
    with foreground.counted("train", RunStore().create(spec(2)), spec(2), "cpu"):
        pass  # by nobody: nothing is noted
    assert queue.job_for(spec(2).id) is None


def test_what_a_worker_does_by_a_command_is_counted_once(queue):
    with people.acting_as(ANN):
        job = queue.submit(spec(0))
        run = RunStore().open(job.run_id)
        with foreground.counted("train", run, run.spec, "cpu"):
            pass
    assert [row.id for row in queue.jobs()] == [job.id]
