"""`jobs`, `cancel`, `resume` and `worker`."""

from support.commands import call, own_runs, printed, refused, train

from peftcore.jobs.queue import Queue
from peftcore.runs.store import RunStore


def test_a_queued_run_waits_for_a_worker_and_is_cancelled_and_deleted(models, home, monkeypatch):
    started = []
    monkeypatch.setattr(
        "peftcore.jobs.queue.ensure_worker", lambda *given: started.append(given[0])
    )
    job = train("lora", "--queue", "--device", "cpu")
    assert job["state"] == "queued"
    assert started == ["cpu"]
    assert [row["run"] for row in printed("jobs")] == [job["run"]]
    assert printed("cancel", job["run"])["state"] == "cancelled"
    assert printed("resume", job["run"], "--device", "cpu")["state"] == "queued"
    assert started == ["cpu", "cpu"]
    printed("cancel", job["run"])
    assert printed("delete", job["run"]) == {"deleted": job["run"]}
    assert own_runs() == []


def test_the_worker_command_works_off_the_queue(models, home, monkeypatch):
    monkeypatch.setattr("peftcore.jobs.queue.ensure_worker", lambda *_: None)
    job = train("lora", "--queue", "--device", "cpu")
    assert printed("worker", "--once", "--device", "cpu") == {"jobs": 1}
    assert RunStore().open(job["run"]).status().state == "done"
    assert Queue().job_for(job["run"]).state == "done"
    assert printed("worker", "--once", "--device", "cpu") == {"jobs": 0}


def test_the_queue_is_listed_moved_paused_and_continued(home, monkeypatch):
    from support.runs import make_run

    from peftcore.jobs import queue

    monkeypatch.setattr(queue, "ensure_worker", lambda *_: False)
    runs = [make_run(method) for method in ("lora", "spt")]
    for run in runs:
        run.reset()
        queue.Queue().submit(run.spec)
    first, second = (run.id for run in runs)
    assert [row["id"] for row in printed("queue")["jobs"]] == [first, second]
    assert printed("queue", "move", second) == [second, first]
    assert printed("queue", "priority", first, "9")["priority"] == 9
    assert [row["id"] for row in printed("queue", "list")["jobs"]] == [first, second]
    printed("queue", "pause")
    assert printed("queue")["paused"]
    assert "Paused" in call("queue").stdout
    assert not printed("queue", "continue")["paused"]
    assert "nobody works on it" in refused("cancel", first, "--force")
    assert "is not in the queue" in refused("queue", "move", "nothing")
