"""The panel that says whether a run learns, and its links to the form."""

from types import SimpleNamespace

from support.pages import open_page, sound, words
from support.runs import make_run, write_adapter

from app.training import diagnosis_panel, train_address
from peftcore.analysis.run_diagnosis import AdapterMeasures, Remedy


def flat(run):
    """Give a run a loss that never fell."""
    rows = [
        {"step": step, "seed": 0, "train_loss": 2.0, "dev_loss": 2.0} for step in (0, 25, 50, 75)
    ]
    (run.folder / "history.jsonl").unlink()
    run.append_history(rows)


def test_a_flat_run_is_named_with_links_that_fill_in_the_form():
    run = make_run("lora")
    flat(run)
    page = open_page("runs", run=run.id)
    assert "It does not learn." in words(page)
    links = [link.proto for link in page.get("page_link") if "learning" in link.proto.label]
    assert links
    assert all(f"from={run.id}" in link.query_string for link in links)
    assert any("lora.learning_rate=" in link.query_string for link in links)


def test_a_probe_queues_short_runs_at_other_rates(monkeypatch):
    run = make_run("lora", training={"steps": 200, "learning_rate": 0.001})
    flat(run)
    page = open_page("runs", run=run.id)
    assert page.button(key=f"runs.probe.{run.id}").label == "Probe the rate"
    submitted = []
    queue = SimpleNamespace(submit=lambda spec: submitted.append(spec) or SimpleNamespace(active=0))
    monkeypatch.setattr(diagnosis_panel.cache, "job_queue", lambda: queue)
    diagnosis_panel._probe(run)
    rates = [spec.training.learning_rate for spec in submitted]
    assert len(set(rates)) == len(rates) > 3


def test_words_for_labels_reach_the_form():
    run = make_run("lora")
    query = diagnosis_panel.remedy_query(
        run, Remedy("x", {"training.label_words": {"neutral": "A"}})
    )
    page = open_page("train", **{name.replace(".", "__"): value for name, value in query.items()})
    sound(page)
    assert page.session_state["train.words.miniworld_nli.neutral"] == "A"


def test_the_adapter_is_measured_when_asked(monkeypatch):
    run = make_run("lora")
    write_adapter(run)
    measured = AdapterMeasures(8, 0.0, 0.5, effect=0.3)
    monkeypatch.setattr(diagnosis_panel, "measure", lambda run: measured)
    page = open_page("runs", run=run.id)
    assert "No gradient" not in words(page)
    sound(page.button(key=f"runs.diagnose.{run.id}").click().run())
    assert "No gradient reaches the adapter." in words(page)


def test_a_remedy_is_an_address_that_the_form_reads():
    run = make_run("prefix_tuning", settings={"length": 4})
    changes = {"settings.length": 2, "training.steps": 400, "training.learning_rate": 0.5}
    query = diagnosis_panel.remedy_query(run, Remedy("x", changes))
    assert query == {
        "from": run.id,
        "prefix_tuning.length": "2",
        "training.steps": "400",
        "prefix_tuning.learning_rate": "0.5",
    }
    page = open_page("train", **{name.replace(".", "__"): value for name, value in query.items()})
    assert page.number_input(key="train.prefix_tuning.length").value == 2
    assert page.number_input(key="train.steps").value == 400
    assert train_address.BEGINNING in page.session_state
