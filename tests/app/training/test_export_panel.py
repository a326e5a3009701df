import io
import json
import zipfile

import pytest
from support.pages import open_page, sound, words
from support.runs import make_run

from peftcore.runs.store import RunStore
from peftcore.training import planning
from peftcore.training.checkpoint import save_adapter


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


def learnt(method, **settings):
    """A finished run on the embedded T5, as if nothing had been learnt."""
    from app.state import cache

    base = cache.base_model("tiny-t5")
    run = make_run(method, settings=settings)
    save_adapter(run, planning.build_adapted(base, run.spec, fresh=False), base)
    return run


def saved(app):
    """The members of the zip that is offered."""
    made = app.session_state["runs.export.made"]
    assert app.get("download_button")
    with zipfile.ZipFile(io.BytesIO(made.content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def prepared(run, kind):
    app = open_page("runs", run=run.id)
    app.session_state["runs.export.kind"] = kind
    app.run()
    app.button(key="runs.export.prepare").click().run()
    assert sound(app)
    return app


def test_an_adapter_for_peft_is_made_when_asked_for_and_offered():
    app = prepared(learnt("lora"), "peft")
    members = saved(app)
    assert json.loads(members["adapter_config.json"])["peft_type"] == "LORA"
    assert len(members["adapter_model.safetensors"]) > 1000
    assert any(b.label.startswith("Save ") for b in app.get("download_button"))


def test_a_merged_model_is_a_whole_model():
    members = saved(prepared(learnt("lora"), "merged"))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= members.keys()


def test_a_bundle_leaves_answers_out_unless_the_box_is_ticked():
    run = learnt("lora")
    app = prepared(run, "bundle")
    assert f"runs/{run.id}/answers.parquet" not in saved(app)
    app.checkbox(key="runs.export.answers").check().run()
    assert not [b for b in app.get("download_button") if b.label.startswith("Save ")]
    app.button(key="runs.export.prepare").click().run()
    assert f"runs/{run.id}/answers.parquet" in saved(app)


def test_what_the_package_cannot_express_is_said_and_the_page_stays_whole():
    app = prepared(learnt("prefix_tuning"), "peft")
    assert "none for the encoder" in words(app).replace("\\", "")
    assert "runs.export.made" not in app.session_state
    assert "What decides this result" in [each.label for each in app.expander]


def test_a_run_without_an_adapter_offers_nothing():
    run = make_run("lora")
    app = open_page("runs", run=run.id)
    assert sound(app)
    assert "For other programs" not in [header.value for header in app.header]
    assert RunStore().open(run.id).status().state == "done"
