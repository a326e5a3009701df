"""The queue as a list: moved, paused, its workers, and jobs ended by force."""

import itertools
import time
from dataclasses import asdict, replace

import pytest
import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.jobs import queue as job_queue
from peftcore.jobs import queue_list
from peftcore.jobs.background import TrainingJob
from peftcore.jobs.queue import restart_missing_workers
from peftcore.runs.spec import RunSpec
from peftcore.system import processes
from peftcore.system.database import JOBS, WORKERS
from peftcore.system.job_folder import HEARTBEAT_TIMEOUT_SECONDS

ME = processes.current_process()


def submit(queue, count):
    return [queue.submit(RunSpec(base="b", task="t", method=f"m{n}")) for n in range(count)]


def order(queue):
    return [job.id for job in queue_list.active_jobs(queue)]


def test_every_order_can_be_reached_by_moving(queue):
    jobs = [job.id for job in submit(queue, 4)]
    for wanted in itertools.permutations(jobs):
        for place, job in enumerate(wanted):
            while order(queue).index(job) > place:
                queue_list.move_job(queue, job, up=True)
        assert order(queue) == list(wanted)


def test_moving_down_is_moving_the_next_one_up_and_ends_stay(queue):
    first, second, third = (job.id for job in submit(queue, 3))
    queue_list.move_job(queue, first, up=False)
    assert order(queue) == [second, first, third]
    queue_list.move_job(queue, second, up=True)
    queue_list.move_job(queue, third, up=False)
    assert order(queue) == [second, first, third]
    assert queue.claim("cpu", ME).id == second  # the list is what workers go by
    with pytest.raises(BadInput, match="does not wait"):
        queue_list.move_job(queue, second, up=True)


def test_while_paused_nothing_begins_and_no_worker_is_started(queue, monkeypatch):
    monkeypatch.setattr(job_queue, "_spawn_worker", lambda *_: pytest.fail("a worker was started"))
    submit(queue, 1)
    queue.pause()
    assert queue.claim("cpu", ME) is None
    assert restart_missing_workers(queue) == 0
    queue.unpause()
    assert queue.claim("cpu", ME)


def test_workers_are_shown_with_what_they_have(queue, other):
    queue.register_worker("cpu", other)
    [idle] = queue_list.list_workers(queue)
    assert (idle.device, idle.alive, idle.hung, idle.job) == ("cpu", True, False, None)
    [job] = submit(queue, 1)
    queue.claim("cpu", other)
    [busy] = queue_list.list_workers(queue)
    assert busy.job.id == job.id
    with pytest.raises(BadInput, match="signs of life"):
        queue_list.end_worker(queue, busy)
    with queue.database.write() as connection:
        silent = time.time() - HEARTBEAT_TIMEOUT_SECONDS - 5
        connection.execute(sa.update(WORKERS).values(heartbeat=silent))
    [hung] = queue_list.list_workers(queue)
    assert (hung.alive, hung.hung) == (False, True)
    assert queue_list.end_worker(queue, hung)
    assert other.find_process() is None
    assert queue_list.list_workers(queue) == []


def test_a_job_that_does_not_stop_is_ended_by_force_and_can_be_resumed(queue, other):
    [job] = submit(queue, 1)
    claimed = queue.claim("cpu", other)
    run = TrainingJob.open(job.run_id)
    run.write_status(state="running", process=asdict(other))
    run.request_stop()
    assert queue_list.end_by_force(queue, run)
    assert other.find_process() is None
    assert run.status().state == "cancelled"
    assert queue.job_for(job.run_id).state == "cancelled"
    assert not queue.is_claimed(claimed)
    assert queue.resume(job.run_id).state == "queued"


def test_what_nobody_here_works_on_is_not_ended_by_force(queue, other):
    [job] = submit(queue, 1)
    run = TrainingJob.open(job.run_id)
    with pytest.raises(BadInput, match="nobody works on it"):
        queue_list.end_by_force(queue, run)
    run.write_status(state="running", process=asdict(replace(other, host="elsewhere")))
    with pytest.raises(BadInput, match="elsewhere; end it there"):
        queue_list.end_by_force(queue, run)
    assert other.find_process()


def test_a_killed_worker_is_replaced_without_any_page(queue, other, monkeypatch):
    started = []
    monkeypatch.setattr(job_queue, "_spawn_worker", lambda device, _: started.append(device) or ME)
    queue.register_worker("auto", other)
    submit(queue, 1)
    looks = iter([True, True, False])
    processes.terminate(other)
    queue_list.look_after_workers(queue, lambda: next(looks), lambda seconds: None)
    assert started == ["auto"]
    assert queue.database.read(sa.select(JOBS.c.state))[0]["state"] == "queued"
