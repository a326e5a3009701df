"""One run on its page: state, scores, log, and what can be done with it."""

from __future__ import annotations

from support.pages import open_page, sound, words
from support.runs import make_run

from app.state import cache
from peftcore.analysis.few_seeds import widening


def test_runs_shows_the_run_the_address_names():
    make_run("lora")
    wanted = make_run("spt")
    app = open_page("runs", run=wanted.id)
    assert app.selectbox(key="runs.run").value == wanted.id
    assert any(metric.value == "5,140" for metric in app.metric)
    assert sound(app)


def test_a_finished_run_tells_means_with_intervals_and_every_seed():
    run = make_run("lora", population={"seeds": 3})
    run.write_scores({"accuracy": [0.5, 0.7, 0.6], "chrf": [40.0, None, 41.0]})
    app = open_page("runs", run=run.id)
    [options] = [frame.value for frame in app.dataframe if "Mean" in frame.value]
    [seeds] = [frame.value for frame in app.dataframe if "Accuracy" in frame.value]
    half = widening(3) * 4.302653 * 0.1 / 3**0.5  # t with two degrees of freedom
    assert list(options["Mean"]) == ["0.600", "40.5"]
    assert options["95 % interval"][0] == f"{0.6 - half:.3f} to 1.000"  # no accuracy above
    assert list(options["Seeds"]) == [3, 2]
    assert list(seeds["Accuracy"]) == [0.5, 0.7, 0.6]
    assert sound(app)


def test_one_seed_has_no_interval():
    from app.training.run_panel import mean_table
    from peftcore.analysis.score_estimates import score_estimates

    run = make_run("lora")
    run.write_scores({"accuracy": [0.5], "chrf": [None]})
    table = mean_table(score_estimates(run))
    assert list(table["95 % interval"]) == ["one seed", "–"]


def test_an_unknown_run_in_the_address_gets_a_sentence():
    run = make_run("lora")
    app = open_page("runs", run=run.id[:-1] + ("0" if run.id[-1] != "0" else "1"))
    assert "No run" in app.warning[0].value
    assert "did you mean" in app.warning[0].value
    assert app.selectbox(key="runs.run").value == run.id
    assert sound(app)


def test_a_lost_run_explains_itself_and_offers_to_resume():
    from peftcore.system import processes

    run = make_run("lora")
    gone = {"pid": 2**22 + 1, "started": 1.0, "token": "", "host": processes.current_process().host}
    run.write_status(state="running", step=50, process=gone)
    app = open_page("runs", run=run.id)
    assert "Everything up to its last checkpoint is kept" in words(app)
    assert app.button(key=f"runs.resume.{run.id}")
    assert sound(app)


def test_a_waiting_run_can_be_cancelled_and_moved(monkeypatch):
    from app.ui import job_panel

    # A worker would outlive the tests.
    monkeypatch.setattr(job_panel, "restart_missing_workers", lambda queue: 0)
    run = make_run("lora")
    run.reset()
    job = cache.job_queue().submit(run.spec)
    app = open_page("runs", run=run.id)
    app.number_input(key=f"runs.priority.{job.id}").set_value(5).run()
    assert cache.job_queue().job_for(run.id).priority == 5
    app.button(key=f"runs.cancel.{run.id}").click().run()
    assert run.status().state == "cancelled"
    assert sound(app)


def test_deleting_a_run_asks_first(no_demos):
    run = make_run("lora")
    app = open_page("runs", run=run.id)
    app.button(key="runs.delete").click().run()
    assert run.folder.is_dir()
    app.button(key="runs.delete.sure").click().run()
    assert not run.folder.exists()
    assert sound(app)


def test_the_log_of_a_failed_run_hides_what_a_fault_left_behind():
    run = make_run("lora")
    run.append_log("error 12ab34cd\nTraceback (most recent call last):\n  File x\nKeyError: 'q'")
    run.write_status(state="failed", message="Stopped by an error.", error_id="12ab34cd")
    app = open_page("runs", run=run.id)
    shown = "\n".join(code.value for code in app.code)
    assert "12ab34cd" in shown
    assert "Traceback" not in shown + words(app)
