"""`jobs`, `cancel`, `resume` and `worker`."""

from support.commands import own_runs, printed, train

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
