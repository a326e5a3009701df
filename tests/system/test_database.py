"""The same promises on SQLite and on PostgreSQL, with eight processes at once."""

import time

import pytest
import sqlalchemy as sa
from support.at_once import PROCESSES
from support.postgres import postgres  # noqa: F401

from peftcore.errors import BadInput
from peftcore.jobs.queue import Queue
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system import processes
from peftcore.system.database import JOBS, Database, database_url

WANTED = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lab.sqlite'}"
    return request.getfixturevalue("postgres")


def spec(n):
    return RunSpec(base="b", task="t", method=f"m{n}")


def work_off(n, url, folder, device):
    """One worker: claim, look who else has the device, finish, until nothing is left."""
    queue, worker, taken = Queue(url, RunStore(folder)), processes.current_process(), []
    device = device or f"device{n}"
    while queue.waiting_devices():
        job = queue.claim(device, worker)
        if job is None:
            time.sleep(0.005)
            continue
        rows = queue.database.read(
            sa.select(JOBS.c.id).where(JOBS.c.state == "running", JOBS.c.device == device)
        )
        taken.append((job.id, len(rows)))
        assert queue.finish(job, "done")
    return taken


@pytest.mark.parametrize("device", ["", "cpu"], ids=["a device each", "one device"])
def test_eight_workers_take_every_job_once(url, tmp_path, at_once, device):
    queue = Queue(url, RunStore(tmp_path / "runs"))
    wanted = sorted(queue.submit(spec(f"{device}{n}")).id for n in range(WANTED))
    each = at_once(work_off, [(n, url, tmp_path / "runs", device) for n in range(PROCESSES)])
    taken = [job for jobs in each for job in jobs]
    assert sorted(job for job, _ in taken) == wanted
    assert {others for _, others in taken} == {1}  # itself: one job at a time on a device
    assert {job.state for job in queue.jobs()} == {"done"}


def count_up(url, number):
    """Read a number, write it plus one, many times."""
    database = Database(url)
    for _ in range(25):
        with database.write(exclusive=True) as connection:
            here = JOBS.c.id == number
            seen = connection.execute(sa.select(JOBS.c.priority).where(here)).scalar_one()
            connection.execute(sa.update(JOBS).where(here).values(priority=seen + 1))


def test_no_update_of_eight_processes_is_lost(url, tmp_path, at_once):
    queue = Queue(url, RunStore(tmp_path / "runs"))
    job = queue.submit(spec("counted"))
    at_once(count_up, [(url, job.id)] * PROCESSES)
    assert queue.job_for(job.run_id).priority == 25 * PROCESSES


def open_new(url):
    Database(url).close()
    return True


def test_eight_processes_may_be_the_first_to_open_it(tmp_path, at_once):
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    assert at_once(open_new, [(url,)] * PROCESSES) == [True] * PROCESSES
    with Database(url).write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_the_database_itself_refuses_a_second_job_of_a_run(url, tmp_path):
    queue = Queue(url, RunStore(tmp_path / "runs"))
    job = queue.submit(spec("twice"))
    row = queue.database.read(sa.select(JOBS).where(JOBS.c.id == job.id))[0]
    again = {name: value for name, value in row.items() if name != "id"}
    with pytest.raises(sa.exc.IntegrityError), queue.database.write() as connection:
        connection.execute(sa.insert(JOBS).values(again))


def test_a_queue_of_an_earlier_version_opens_with_its_jobs(url, tmp_path):
    """Its table has no kinds: every row of it is a training run."""
    queue = Queue(url, RunStore(tmp_path / "runs"))
    job = queue.submit(spec("old"))
    with queue.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN kind")
    queue.database.close()
    again = Queue(url, RunStore(tmp_path / "runs"))
    assert again.job_for(job.run_id) == job
    assert again.claim("cpu", processes.current_process()).kind == "train"


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'lab.sqlite'}")
    with database.write() as connection:
        connection.execute(sa.delete(JOBS))
        assert database.read(sa.select(JOBS)) == []


def test_the_address_comes_from_the_environment_or_the_workspace(home, monkeypatch):
    assert database_url() == f"sqlite:///{home / 'lab.sqlite'}"
    monkeypatch.setenv("PEFTCORE_DATABASE", "sqlite:///elsewhere.sqlite")
    assert database_url() == "sqlite:///elsewhere.sqlite"


def test_an_address_nobody_understands_is_bad_input_without_its_password():
    with pytest.raises(BadInput, match="'host/db' cannot be used") as error:
        Database("nonsense://me:secret@host/db")
    assert "secret" not in str(error.value)


def test_a_database_that_cannot_be_reached_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="unable to open database file"):
        Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")
