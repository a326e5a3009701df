"""One person's share of disk and time."""

import time

import pytest
import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.jobs import quotas
from peftcore.jobs.queue import Queue
from peftcore.runs.spec import RunSpec
from peftcore.system import people
from peftcore.system.database import JOBS
from peftcore.system.people import Person

ANN, BOB = Person("ann", "experimenter"), Person("bob", "experimenter")


def spec(n):
    return RunSpec(base="b", task="t", method=f"m{n}")


@pytest.fixture
def queue():
    return Queue()


def test_who_has_taken_all_their_disk_begins_no_other_run(queue, monkeypatch):
    monkeypatch.setenv("PEFTCORE_QUOTA_GB", "0.001")
    with people.acting_as(ANN):
        job = queue.submit(spec(0))
        (queue.store.folder / job.run_id / "adapter.safetensors").write_bytes(bytes(2_000_000))
        with pytest.raises(BadInput, match=r"take 0\.00 GB|may take 0\.001"):
            queue.submit(spec(1))
    with people.acting_as(BOB):
        queue.submit(spec(2))
    queue.submit(spec(3))  # who has no name has no quota
    assert len(queue.jobs()) == 3


def test_hours_count_for_thirty_days(queue, monkeypatch):
    monkeypatch.setenv("PEFTCORE_QUOTA_HOURS", "2")
    now = time.time()
    with people.acting_as(ANN):
        job = queue.submit(spec(0))

        def worked(started):
            with queue.database.write() as connection:
                change = sa.update(JOBS).where(JOBS.c.id == job.id)
                connection.execute(change.values(started=started, finished=started + 3 * 3600))

        worked(now - 40 * 86400)
        queue.submit(spec(1))
        worked(now - 86400)
        assert quotas.quota_of("ann", queue.database, queue.store.folder).hours_used == (
            pytest.approx(3)
        )
        with pytest.raises(BadInput, match=r"took 3\.0 hours"):
            queue.submit(spec(2))


@pytest.mark.parametrize("value", ["much", "-1", "0", "nan"])
def test_a_quota_that_is_no_number_is_refused(queue, monkeypatch, value):
    monkeypatch.setenv("PEFTCORE_QUOTA_GB", value)
    with people.acting_as(ANN), pytest.raises(BadInput, match="PEFTCORE_QUOTA_GB"):
        queue.submit(spec(0))
