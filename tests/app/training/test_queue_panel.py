"""The queue on the Runs page."""

import pytest
from support.pages import open_page, sound, words
from support.runs import make_run

from app.state import cache
from app.training import queue_panel
from app.ui import job_panel
from peftcore.jobs import queue_list
from peftcore.system import processes


@pytest.fixture(autouse=True)
def no_workers(monkeypatch):
    for module in (job_panel, queue_panel):
        monkeypatch.setattr(module, "restart_missing_workers", lambda queue: 0)


def waiting(*methods):
    jobs = []
    for method in methods:
        run = make_run(method)
        run.reset()
        jobs.append(cache.job_queue().submit(run.spec))
    return jobs


def ids():
    return [job.id for job in queue_list.active_jobs(cache.job_queue())]


def test_waiting_jobs_are_moved_and_the_queue_is_paused():
    first, second = waiting("lora", "spt")
    page = open_page("runs", "Queue")
    assert "0 at work, 2 waiting" in words(page)
    assert page.button(key=f"runs.queue.Up.{first.id}").disabled
    sound(page.button(key=f"runs.queue.Up.{second.id}").click().run())
    assert ids() == [second.id, first.id]
    sound(page.button(key="runs.queue.pause").click().run())
    assert cache.job_queue().paused
    sound(page.button(key="runs.queue.pause").click().run())
    assert not cache.job_queue().paused
    sound(page.button(key=f"runs.queue.stop.{first.id}").click().run())
    assert ids() == [second.id]


def test_a_run_that_does_not_stop_can_be_ended_and_its_worker_is_shown(monkeypatch):
    [job] = waiting("lora")
    me = processes.current_process()
    cache.job_queue().register_worker("cpu", me)
    cache.job_queue().claim("cpu", me)
    run = cache.run_store().open(job.run_id)
    run.write_status(state="running", phase="training")
    page = open_page("runs", "Queue")
    assert f"at work on `{run.id}`" in words(page)
    assert not [each for each in page.button if each.label == "End by force"]
    sound(page.button(key=f"runs.queue.stop.{job.id}").click().run())
    ended = []
    monkeypatch.setattr(processes, "terminate", lambda identity: ended.append(identity) or True)
    sound(page.button(key=f"runs.queue.force.{job.id}").click().run())
    assert ended == [me]
    assert run.status().state == "cancelled"


def test_after_resume_the_page_follows_the_run(monkeypatch):
    run = make_run("lora")
    gone = {"pid": 2**22 + 1, "started": 1.0, "token": "", "host": processes.current_process().host}
    run.write_status(state="running", step=50, process=gone)
    clocks, fragment = [], job_panel.st.fragment

    def recording(*arguments, run_every=None):
        clocks.append(run_every)
        return fragment(*arguments, run_every=run_every)

    monkeypatch.setattr(job_panel.st, "fragment", recording)
    page = open_page("runs", run=run.id)
    assert clocks == []  # nothing changes in a lost run
    sound(page.button(key=f"runs.resume.{run.id}").click().run())
    assert run.status().state == "queued"
    assert clocks[-1] == job_panel.REDRAW_SECONDS
    run.write_status(state="running", phase="training", step=60)
    page.run()
    assert [metric.label for metric in sound(page).metric].count("Time left") == 1
