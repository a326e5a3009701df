"""The panel of a job: what it says of each state, and what its buttons do."""

from dataclasses import asdict

import pytest
from streamlit.testing.v1 import AppTest

from app.ui import job_panel
from peftcore.jobs import background
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.system import processes

REQUEST = ToyRequest.make({"size": "quick", "seeds": 1})


@pytest.fixture(autouse=True)
def alone(home, monkeypatch):
    """The lanes that workers would have been started for."""
    started = []
    monkeypatch.setattr(background, "ensure_worker", lambda lane, _: started.append(lane))
    monkeypatch.setattr(job_panel, "restart_missing_workers", lambda queue: 0)
    return started


def page():
    from app.ui import job_panel
    from peftcore.labs.toys.request import ToyJob, ToyRequest

    request = ToyRequest.make({"size": "quick", "seeds": 1})
    job_panel.show_job(ToyJob, request, lambda job: None, "the toy", "Nothing yet.")


def opened():
    return AppTest.from_function(page, default_timeout=60).run()


def bar(app):
    return app.get("progress")[0].proto.text


def test_a_job_is_queued_and_withdrawn_by_its_buttons(alone):
    app = opened()
    app.button(key=f"toys.start.{REQUEST.id}").click().run()
    assert alone == ["measure"]
    assert "Waits for its turn" in bar(app)
    app.button(key=f"toys.stop.{REQUEST.id}").click().run()
    assert ToyJob.create(REQUEST).status().state == "cancelled"
    assert app.button(key=f"toys.start.{REQUEST.id}").label == "Train the toy"


def test_a_running_job_shows_how_far_it_is_and_is_asked_to_stop_once():
    job = ToyJob.create_own(REQUEST)
    own = asdict(processes.current_process())
    job.write_status(state="running", done=10, of=40, seconds=10.0, process=own)
    app = opened()
    assert "10 of 40 steps trained, about 30 s left" in bar(app).replace("\\", "")
    app.button(key=f"toys.stop.{REQUEST.id}").click().run()
    assert job.stop_requested()
    assert app.button(key=f"toys.stop.{REQUEST.id}").disabled


def test_a_failed_job_shows_its_log_without_the_traceback():
    job = ToyJob.create_own(REQUEST)
    job.append_log("error 12ab34cd\nTraceback\nKeyError: 'q'")
    job.write_status(state="failed", message="Stopped by an error.", error_id="12ab34cd")
    app = opened()
    shown = "\n".join(code.value for code in app.code)
    assert "12ab34cd" in shown
    assert "KeyError" not in shown
    assert "Stopped by an error" in app.error[0].value
