import os
import signal
import time
from dataclasses import replace

import pytest

from peftcore.errors import BadInput
from peftcore.jobs import worker as job_worker
from peftcore.jobs.background import TrainingJob
from peftcore.jobs.queue import _worker_of_row, ensure_worker
from peftcore.jobs.worker import (
    Worker,
    resolve_device,
)
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.runs.spec import RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.system import processes
from peftcore.training.planning import build_spec

STEPS = 100


def a_spec(**training):
    """A real run of some seconds, with a checkpoint every ten steps."""
    course = {"shots": 6, "dev": 2, "steps": STEPS, "batch": 1, "evaluate_every": 10} | training
    few = {"limit": 3, "max_new_tokens": 2}
    return build_spec(
        "random-t5", "miniworld_nli", "prompt_tuning", None, {"seeds": 2}, course, few
    )


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """A folder of bases with a random one, as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    base = tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(folder))
        patch.setenv("PEFTCORE_HOME", str(tmp_path_factory.mktemp("home")))
        yield folder


def quick(steps=1):
    """A spec for runs that are not really trained."""
    return RunSpec(base="random-t5", task="t", method="m", training=Training(steps=steps))


def finish(run, **_):
    run.write_status(state="running")
    return run.write_status(state="done", step=1)


def until(condition, seconds=200.0):
    """Wait for something another process does."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def test_the_queue_is_worked_off_with_one_load_of_the_base(queue):
    specs = [quick(n) for n in (1, 2, 3)]
    for spec in specs:
        queue.submit(spec)
    loaded, seen = [], []
    load = lambda name, device: loaded.append((name, device)) or "base"
    perform = lambda run, **given: seen.append((run.spec, given["base"])) or finish(run)
    assert Worker(queue, "cpu", perform, load).run(once=True) == 3
    assert loaded == [("random-t5", "cpu")]
    assert seen == [(spec, "base") for spec in specs]
    assert {job.state for job in queue.jobs()} == {"done"}


def test_the_end_of_a_job_is_said_and_a_stop_is_not(queue, monkeypatch):
    sent = []
    monkeypatch.setattr(job_worker.notices, "send", sent.append)
    for steps in (1, 2, 3):
        queue.submit(quick(steps))

    def perform(run, **_):
        run.write_status(state="running")
        if run.spec.training.steps == 2:
            raise BadInput("no such task")
        return run.write_status(state="done" if run.spec.training.steps == 1 else "cancelled")

    Worker(queue, "cpu", perform, lambda *_: None).run(once=True)
    assert [(each.kind, each.state) for each in sent] == [("train", "done"), ("train", "failed")]
    assert "m on t, random-t5" in sent[0].title
    assert sent[1].message == "no such task"


def test_a_failure_is_written_down_and_the_next_job_begins(queue):
    bad, good = (queue.submit(quick(n)) for n in (1, 2))

    def perform(run, **_):
        if run.id == bad.run_id:
            raise ZeroDivisionError("something inside")
        return finish(run)

    assert Worker(queue, "cpu", perform, lambda *_: None).run(once=True) == 2
    run = queue.store.open(bad.run_id)
    status = run.status()
    assert (status.state, queue.job_for(bad.run_id).state) == ("failed", "failed")
    assert status.error_id in status.message
    assert "something inside" not in status.message
    assert status.error_id in run.log()
    assert "ZeroDivisionError: something inside" in run.log()
    assert queue.job_for(good.run_id).state == "done"


def test_bad_input_becomes_the_runs_message(queue):
    job = queue.submit(quick())

    def perform(run, **_):
        raise BadInput("the text is too long for the window")

    Worker(queue, "cpu", perform, lambda *_: None).run(once=True)
    status = queue.store.open(job.run_id).status()
    assert (status.state, status.message) == ("failed", "the text is too long for the window")
    assert status.error_id == ""


def test_a_job_whose_run_was_deleted_is_passed_over(queue):
    job = queue.submit(quick())
    queue.store.delete(job.run_id)
    Worker(queue, "cpu", finish, lambda *_: None).run(once=True)
    assert queue.job_for(job.run_id).state == "cancelled"
    assert queue.store.all(include_demos=False) == []


def test_a_run_done_from_a_terminal_meanwhile_is_not_trained_again(queue):
    job = queue.submit(quick())
    queue.store.open(job.run_id).write_status(state="done")
    trained = []
    Worker(queue, "cpu", lambda run, **_: trained.append(run), lambda *_: None).run(once=True)
    assert trained == []
    assert queue.job_for(job.run_id).state == "done"


def test_jobs_read_the_data_they_were_submitted_with(queue, monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    queue.submit(quick())
    monkeypatch.setenv("PEFTCORE_DATA", "/elsewhere")
    seen = []
    perform = lambda run, **_: seen.append(os.environ["PEFTCORE_DATA"]) or finish(run)
    Worker(queue, "cpu", perform, lambda *_: None).run(once=True)
    assert seen == [str(tmp_path)]


def test_a_second_worker_of_a_device_is_refused(queue):
    queue.register_worker("cpu", processes.identify(os.getppid()))
    with pytest.raises(BadInput, match="alive on device 'cpu' already"):
        Worker(queue, "cpu").run(once=True)


def test_sigterm_hands_the_job_back_to_the_queue(queue):
    job = queue.submit(quick())

    def perform(run, stop, **_):
        os.kill(os.getpid(), signal.SIGTERM)
        until(stop)
        return run.write_status(state="cancelled")

    before = signal.getsignal(signal.SIGTERM)
    assert Worker(queue, "cpu", perform, lambda *_: None).run() == 1
    assert signal.getsignal(signal.SIGTERM) == before
    assert queue.job_for(job.run_id).state == "queued"
    assert queue.store.open(job.run_id).status().state == "queued"
    assert Worker(queue, "cpu", finish, lambda *_: None).run(once=True) == 1
    assert queue.job_for(job.run_id).state == "done"


TOY = ToyRequest.make({"size": "quick", "seeds": 1})


@pytest.fixture
def command(monkeypatch, queue):
    """A queued measurement, and what its process will do in place of training."""

    def do(lines):
        job = ToyJob.create_own(TOY)
        code = f"""
import os, time
from peftcore.labs.toys.request import ToyJob
job = ToyJob.open({job.id!r})
def work():
    {lines}
job.run(work)
"""
        real = processes.start_python
        python = lambda _, log: real(["-c", code], log)
        monkeypatch.setattr(job_worker.processes, "start_python", python)
        queue.enqueue(job, job.KIND, job.request, job.LANE)
        assert job.status().state == "queued"
        return job

    return do


def test_a_measurement_is_done_by_a_command_of_its_own(command, queue):
    job = command("job.append_value({'pid': os.getpid()})")
    assert Worker(queue, "measure").run(once=True) == 1
    assert job.status().state == queue.job_for(job.id).state == "done"
    assert job.entries()[0]["pid"] != os.getpid()
    assert (queue.job_for(job.id).kind, queue.job_for(job.id).device) == ("toys", "measure")


@pytest.mark.parametrize(
    ("fault", "state"),
    [("raise KeyError('inside')", "failed"), ("os.kill(os.getpid(), 9)", "lost")],
)
def test_what_becomes_of_a_measurement_is_what_its_folder_says(command, queue, fault, state):
    job = command(fault)
    Worker(queue, "measure").run(once=True)
    assert job.status().state == queue.job_for(job.id).state == state
    assert ("KeyError: 'inside'" in job.log()) == (state == "failed")


def test_a_command_that_never_begins_fails(command, queue, monkeypatch):
    job = command("pass")
    gone = replace(processes.current_process(), started=1.0)
    monkeypatch.setattr(job_worker.processes, "start_python", lambda *_: gone)
    Worker(queue, "measure").run(once=True)
    assert "ended before it began" in job.status().message
    assert queue.job_for(job.id).state == "failed"


def test_a_measurement_is_stopped_and_goes_on(command, queue):
    job = command("job.request_stop() if not job.entries() else None; job.append_value({}); "
                  "exec('if job.stop_requested(): raise InterruptedError')")  # fmt: skip
    Worker(queue, "measure").run(once=True)
    assert job.status().state == queue.job_for(job.id).state == "cancelled"
    queue.enqueue(job, job.KIND, job.request, job.LANE)
    Worker(queue, "measure").run(once=True)
    assert job.status().state == queue.job_for(job.id).state == "done"
    assert len(job.entries()) == 2


def test_sigterm_hands_a_measurement_back_to_the_queue(command, queue):
    waits = "while not job.stop_requested(): time.sleep(0.02)"
    job = command(f"""os.kill({os.getpid()}, {int(signal.SIGTERM)})
    {waits}
    raise InterruptedError""")
    assert Worker(queue, "measure").run() == 1
    assert job.status().state == queue.job_for(job.id).state == "queued"
    assert not job.stop_requested()


def test_a_worker_leaves_when_nothing_comes(queue):
    assert Worker(queue, "cpu", finish).run(idle_seconds=0) == 0
    assert queue.register_worker("cpu", processes.identify(os.getppid()))  # the place is free


def test_a_device_that_is_not_there_is_bad_input():
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(BadInput, match="no device 'abacus'"):
        resolve_device("abacus")


def identity(queue):
    import sqlalchemy as sa

    from peftcore.system.database import WORKERS

    return _worker_of_row(queue.database.read(sa.select(WORKERS))[0])


@pytest.fixture
def worker(queue):
    """Workers that this test started, ended with it."""
    ended = []
    yield lambda: (ensure_worker("cpu", queue) and ended.append(identity(queue))) or ended[-1]
    for one in ended:
        processes.terminate(one)


@pytest.fixture(scope="module")
def undisturbed(models, tmp_path_factory):
    """The adapter and the scores of the run when nobody interrupts it."""
    from peftcore.training.run_training import execute_run

    run = RunStore(tmp_path_factory.mktemp("alone")).create(a_spec())
    assert execute_run(run).state == "done"
    return results(run)


def results(run):
    return (run.folder / "adapter.safetensors").read_bytes(), run.scores()


def test_a_run_that_is_cancelled_or_whose_worker_is_killed_resumes_to_the_same_result(
    models, queue, worker, undisturbed
):
    """First cancelled, then from the beginning and killed, by the same worker: a process that
    imports torch is what costs.
    """
    run, _ = begin(queue, worker)
    cancelled_keeps_what_it_learnt(queue, run)
    queue.resume(run.id, device="cpu")
    worker()
    done(queue, run)
    assert results(run) == undisturbed
    queue.store.delete(run.id)
    run, first = begin(queue, worker)
    killed_leaves_it_lost(queue, run, first)
    queue.resume(run.id, device="cpu")
    assert run.status().state == "queued"
    assert worker() != first
    done(queue, run)
    assert "Resumed at step" in run.log()
    assert results(run) == undisturbed


def begin(queue, worker):
    """Queue the run, and wait until it is some steps on; also return whose work it is."""
    run = queue.store.open(queue.submit(a_spec(), device="cpu").run_id)
    process = worker()
    until(lambda: run.status().step >= 20)
    return run, process


def cancelled_keeps_what_it_learnt(queue, run):
    TrainingJob.open(run.id).stop()
    status = until(lambda: (s := run.status()).state == "cancelled" and s)
    assert status.step < STEPS
    assert (run.folder / "adapter.safetensors").is_file()
    assert run.history()["step"].max() <= status.step
    until(lambda: queue.job_for(run.id).state == "cancelled")


def killed_leaves_it_lost(queue, run, worker):
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: worker.find_process() is None)
    assert run.status().state == "lost"
    assert queue.job_for(run.id).state == "lost"
    assert 10 <= run.status().step < STEPS


def done(queue, run):
    until(lambda: run.status().state == "done")
    until(lambda: queue.job_for(run.id).state == "done")


def test_cancel_stops_within_one_step(models, queue):
    """The request comes while a step is reported; that step is the last."""
    from peftcore.training.run_training import execute_run

    job = queue.submit(a_spec(evaluate_every=5))
    asked = []

    def stop_soon(run, **given):
        def report(progress):
            if progress.step == 10 and not asked:
                TrainingJob.open(run.id).stop()
                asked.append(run.id)

        return execute_run(run, report=report, **given)

    Worker(queue, "cpu", stop_soon).run(once=True)
    run = queue.store.open(job.run_id)
    assert (run.status().state, run.status().step) == ("cancelled", 10)
    assert queue.job_for(run.id).state == "cancelled"
