import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
import sqlalchemy as sa

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs import queue as job_queue
from peftcore.jobs.background import TrainingJob
from peftcore.jobs.queue import (
    HEARTBEAT_TIMEOUT_SECONDS,
    Queue,
    ensure_worker,
    restart_missing_workers,
)
from peftcore.runs.spec import RunSpec
from peftcore.system import processes
from peftcore.system.database import JOBS, WORKERS

ME = processes.current_process()


def spec(n=0):
    return RunSpec(base="b", task="t", method=f"m{n}")


def kill(identity):
    os.kill(identity.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(identity.pid, 0)


def stop(job):
    """Stop the run of a row, as a page does."""
    TrainingJob.open(job.run_id).stop()


def silent(queue, seconds):
    """Let the heartbeats of all jobs and workers grow old."""
    with queue.database.write() as connection:
        for table in (JOBS, WORKERS):
            connection.execute(sa.update(table).values(heartbeat=time.time() - seconds))


def test_a_submitted_run_waits_and_can_be_found(queue):
    job = queue.submit(spec(), priority=3)
    assert (job.state, job.priority, job.kind) == ("queued", 3, "train")
    assert RunSpec.make(job.spec) == spec()
    assert queue.store.open(job.run_id).status().state == "queued"
    assert queue.job_for(job.run_id) == job
    assert queue.job_for("0" * 12) is None


def test_a_spec_submitted_twice_is_one_job(queue):
    assert queue.submit(spec()).id == queue.submit(spec()).id
    assert len(queue.jobs()) == 1


def test_a_done_run_is_not_queued_again(queue):
    run = queue.store.create(spec())
    run.write_status(state="done")
    job = queue.submit(spec())
    assert job.state == "done"
    assert queue.submit(spec()).id == job.id
    assert queue.claim("cpu", ME) is None
    assert run.status().state == "done"


def test_a_run_trained_from_a_terminal_cannot_be_queued(queue):
    queue.store.create(spec()).write_status(state="running")
    with pytest.raises(BadInput, match="another process"):
        queue.submit(spec())


def test_jobs_are_taken_by_priority_and_then_by_age(queue):
    first, second, urgent = (queue.submit(spec(n), p) for n, p in enumerate((0, 0, 5)))
    order = [queue.claim(f"device{n}", ME).id for n in range(3)]
    assert order == [urgent.id, first.id, second.id]


def test_a_waiting_job_can_be_moved_to_the_front(queue):
    first, second = queue.submit(spec(1)), queue.submit(spec(2))
    queue.set_priority(second.id, 1)
    assert [job.id for job in queue.jobs()] == [second.id, first.id]
    assert queue.claim("cpu", ME).id == second.id
    with pytest.raises(BadInput, match="only waiting jobs"):
        queue.set_priority(second.id, 2)


def test_a_device_has_one_job_at_a_time(queue):
    queue.submit(spec(1))
    queue.submit(spec(2))
    assert queue.claim("cpu", ME)
    assert queue.claim("cpu", ME) is None
    assert queue.claim("cuda", ME)


def test_a_job_for_another_device_is_left_alone(queue):
    queue.submit(spec(), device="cuda")
    assert queue.claim("cpu", ME) is None
    assert queue.claim("cuda", ME).device == "cuda"


def test_what_runs_is_listed_before_what_waits_and_what_is_over(queue):
    over, waits, runs = (queue.submit(spec(n), p) for n, p in enumerate((0, 0, 9)))
    stop(over)
    queue.claim("cpu", ME)
    assert [job.id for job in queue.jobs()] == [runs.id, waits.id, over.id]


def test_a_job_whose_worker_was_killed_is_lost_and_frees_its_device(queue, other):
    lost, waits = queue.submit(spec(1)), queue.submit(spec(2))
    queue.claim("cpu", other)
    assert queue.job_for(lost.run_id).state == "running"
    kill(other)
    assert queue.job_for(lost.run_id).state == "lost"
    assert queue.claim("cpu", ME).id == waits.id


def test_a_job_without_a_heartbeat_is_lost(queue):
    job = queue.submit(spec())
    queue.claim("cpu", ME)
    silent(queue, HEARTBEAT_TIMEOUT_SECONDS + 5)
    assert queue.job_for(job.run_id).state == "lost"


def test_a_heartbeat_keeps_a_job_and_a_lost_job_has_none(queue):
    queue.submit(spec())
    job = queue.claim("cpu", ME)
    silent(queue, HEARTBEAT_TIMEOUT_SECONDS + 5)
    assert queue.job_heartbeat(job)
    assert queue.job_for(job.run_id).state == "running"
    silent(queue, HEARTBEAT_TIMEOUT_SECONDS + 5)
    queue.claim("cpu", ME)  # buries what is lost
    assert not queue.job_heartbeat(job)
    assert not queue.is_claimed(job)
    assert not queue.finish(job, "done")
    assert queue.job_for(job.run_id).state == "lost"


def test_a_lost_run_is_queued_again_by_resume(queue, other):
    job = queue.submit(spec())
    queue.claim("cpu", other)
    queue.store.open(job.run_id).claim()
    kill(other)
    queue.store.open(job.run_id).write_status(state="queued", process=vars(other))
    again = queue.resume(job.run_id)
    assert again.id != job.id
    assert queue.store.open(job.run_id).status().state == "queued"
    assert queue.claim("cpu", ME).id == again.id


def test_a_hung_worker_is_ended_before_its_run_goes_on(queue, other):
    queue.register_worker("cpu", other)
    job = queue.submit(spec())
    queue.claim("cpu", other)
    silent(queue, HEARTBEAT_TIMEOUT_SECONDS + 5)
    queue.resume(job.run_id)
    assert other.find_process() is None


def test_a_worker_that_went_on_is_left_alone_when_its_failed_run_resumes(queue, other):
    queue.register_worker("cpu", other)
    job = queue.submit(spec())
    queue.finish(queue.claim("cpu", other), "failed")
    queue.resume(job.run_id)
    assert other.find_process() is not None


@pytest.mark.parametrize("state", ["queued", "running"])
def test_what_is_under_way_cannot_be_resumed(queue, state):
    job = queue.submit(spec())
    if state == "running":
        queue.claim("cpu", ME)
    with pytest.raises(BadInput, match=f"is {state} already"):
        queue.resume(job.run_id)


def test_neither_done_nor_demo_nor_unknown_runs_are_resumed(queue):
    run = queue.store.create(spec())
    run.write_status(state="done")
    with pytest.raises(BadInput, match="nothing to resume"):
        queue.resume(run.id)
    with pytest.raises(BadInput, match="no run"):
        queue.resume("0" * 12)


def test_a_waiting_job_is_cancelled_at_once(queue):
    job = queue.submit(spec())
    stop(job)
    assert queue.job_for(job.run_id).state == "cancelled"
    assert queue.store.open(job.run_id).status().state == "cancelled"
    assert queue.claim("cpu", ME) is None


def test_a_running_job_is_asked_to_stop(queue):
    queue.submit(spec())
    job = queue.claim("cpu", ME)
    run = queue.store.open(job.run_id)
    stop(job)  # claimed, though nobody has signed the run yet
    assert run.stop_requested()
    assert (run.status().state, queue.job_for(run.id).state) == ("queued", "running")


def test_a_lost_job_is_cancelled_at_once(queue, other):
    job = queue.submit(spec())
    queue.claim("cpu", other)
    run = queue.store.open(job.run_id)
    run.write_status(state="running", process=vars(other))
    kill(other)
    stop(job)
    assert (run.status().state, queue.job_for(run.id).state) == ("cancelled", "cancelled")


def test_a_cancelled_run_can_be_resumed_without_the_old_stop(queue):
    job = queue.submit(spec())
    stop(job)
    run = queue.store.open(job.run_id)
    run.request_stop()
    assert queue.resume(job.run_id).state == "queued"
    assert not run.stop_requested()


def test_commands_and_trainings_wait_in_lanes_of_their_own(queue):
    training = queue.submit(spec(1))
    sweep = queue.enqueue(queue.store.create(spec(2)), "sweep", spec(2), "sweep")
    assert queue.claim("measure", ME) is None
    assert queue.claim("sweep", ME).id == sweep.id
    assert queue.claim("cpu", ME).id == training.id
    assert queue.register_worker("measure", ME)
    queue.submit(spec(3))
    assert queue.unregister_worker("measure", "measure", ME)  # trainings are nothing to it


def test_a_worker_does_not_leave_while_work_waits(queue):
    assert queue.register_worker("cpu", ME)
    queue.submit(spec())
    assert not queue.unregister_worker("cpu", "cpu", ME)
    queue.claim("cpu", ME)
    assert queue.unregister_worker("cpu", "cpu", ME)


def test_a_device_has_one_worker_until_it_dies(queue, other):
    assert queue.register_worker("cpu", other)
    assert not queue.register_worker("cpu", ME)
    kill(other)
    assert queue.register_worker("cpu", ME)


def test_a_process_is_only_ended_if_all_of_its_identity_fits(other):
    assert not processes.terminate(replace(other, started=other.started - 100))
    assert not processes.terminate(replace(other, token="nobody's"))
    assert not processes.terminate(replace(other, host="elsewhere"))
    assert other.find_process() is not None
    assert processes.terminate(other)
    assert other.find_process() is None


def test_children_of_an_ended_process_are_gone():
    lines = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']).wait()"
    parent = subprocess.Popen([sys.executable, "-c", lines], stdin=subprocess.PIPE)
    while not (children := psutil.Process(parent.pid).children()):
        time.sleep(0.01)
    assert processes.terminate(processes.identify(parent.pid))
    parent.wait()
    parent.stdin.close()
    assert not psutil.wait_procs(children, timeout=60)[1]


def test_eight_calls_at_once_start_one_worker(queue, monkeypatch):
    monkeypatch.setattr(job_queue, "WORKER_COMMAND", ["-c", "import time; time.sleep(60)"])
    started = []
    threads = [
        threading.Thread(target=lambda: started.append(ensure_worker("cpu", Queue())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False] * 7 + [True]
    row = queue.database.read(sa.select(WORKERS))[0]
    worker = job_queue._worker_of_row(row)
    process = worker.find_process()
    while not process.environ():  # until its program has begun
        time.sleep(0.01)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)  # nobody's Ctrl+C reaches it
    assert process.environ()["OMP_NUM_THREADS"] == "1"
    assert process.cwd() == str(paths.ROOT)
    processes.terminate(worker)
    assert ensure_worker("cpu", queue)  # a dead one is replaced
    processes.terminate(job_queue._worker_of_row(queue.database.read(sa.select(WORKERS))[0]))


def test_waiting_jobs_get_the_worker_they_miss(queue, monkeypatch):
    monkeypatch.setattr(job_queue, "WORKER_COMMAND", ["-c", "import time; time.sleep(60)"])
    assert restart_missing_workers(queue) == 0
    queue.submit(spec(), device="cpu")
    assert restart_missing_workers(queue) == 1
    assert restart_missing_workers(queue) == 0
    worker = job_queue._worker_of_row(queue.database.read(sa.select(WORKERS))[0])
    kill(worker)
    assert restart_missing_workers(queue) == 1
    processes.terminate(job_queue._worker_of_row(queue.database.read(sa.select(WORKERS))[0]))
