"""The Sweep panel of the Train page, run in full without a browser; no process is started."""

import json

import pytest
from support.pages import open_page, sound, words
from support.runs import make_run

from app.training import sweep_panel
from peftcore.adapters.base import METHODS
from peftcore.runs.store import RunStore
from peftcore.sweeps import seed_shards
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps.spec import Sweep, SweepJob
from peftcore.training.planning import CostEstimate


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No torch in the background; the sweeps that were begun."""
    begun = []
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    monkeypatch.setattr(SweepJob, "launch", lambda work: begun.append(work.request))
    return begun


def opened():
    app = open_page("train")
    app.selectbox(key="train.base").set_value("tiny-t5")
    app.number_input(key="train.steps").set_value(7)  # unlike any run that ships
    return app.pills(key="train.methods").set_value(["lora", "prompt_tuning"]).run()


def test_what_is_chosen_is_a_sweep_that_can_be_saved_counted_and_started(alone, monkeypatch):
    app = opened()
    assert "**2 runs** of 4 seeds, 0 of them done; 2 parts to train." in words(app)
    app.multiselect(key="sweep.tasks").set_value(["miniworld_venues"])
    app.text_input(key="sweep.rates").set_value("0.001, 0.002")
    app.selectbox(key="sweep.vary").set_value("lora: rank").run()
    app.text_input(key="sweep.values").set_value("2, 4")
    app.number_input(key="train.seeds").set_value(6)
    app.number_input(key="sweep.chunk").set_value(3).run()
    assert "**12 runs** of 6 seeds, 0 of them done; 24 parts to train." in words(app)
    cost = lambda specs: [CostEstimate(1, 1, 1.0, 10.0, 0, "") for _ in specs]
    monkeypatch.setattr("app.state.cache.counts_costs", lambda: True)
    monkeypatch.setattr(sweep_panel._cost_estimator(), "estimates_so_far", cost)
    app.number_input(key="sweep.processes").set_value(2).run()
    app.button(key="sweep.count").click().run()
    assert "About 2 min" in words(app)
    app.button(key="sweep.start").click().run()
    assert sound(app)
    [asked] = alone
    assert {spec.settings["rank"] for spec in asked.specs() if spec.method == "lora"} == {2, 4}
    assert {spec.training.learning_rate for spec in asked.specs()} == {0.001, 0.002}
    assert sweep_spec.read(SweepJob.find(asked).folder / "ask.json").id == asked.id
    assert app.selectbox(key="sweep.watched").value == asked.id
    app.text_input(key="sweep.values").set_value("2, nine").run()
    assert "rank" in words(app)
    assert sound(app)


def test_a_cluster_is_offered_where_one_takes_jobs(alone, monkeypatch):
    monkeypatch.setattr("peftcore.sweeps.engines.slurm_programs.found", lambda: False)
    app = opened()
    assert not any(box.key == "sweep.engine" for box in app.selectbox)
    monkeypatch.setattr("peftcore.sweeps.engines.slurm_programs.found", lambda: True)
    app.run()
    app.selectbox(key="sweep.engine").set_value("slurm").run()
    app.text_input(key="sweep.slurm.time").set_value("an hour").run()
    assert "is written as 90 (minutes)" in words(app)
    app.text_input(key="sweep.slurm.time").set_value("1:30:00")
    app.text_input(key="sweep.slurm.partition").set_value("long").run()
    app.number_input(key="sweep.at_once").set_value(3).run()
    app.button(key="sweep.start").click().run()
    assert sound(app)
    [asked] = alone
    where = sweep_spec.read(SweepJob.find(asked).folder / "ask.json").where
    assert (where.engine, where.processes) == ("slurm", 3)
    assert (where.slurm.partition, where.slurm.time, where.slurm.gpus) == ("long", "1:30:00", 0)
    job = SweepJob.find(asked)
    job.write_status(state="running", message="Slurm: 0 at work, 2 waiting (Priority)")
    assert "Slurm: 0 at work, 2 waiting (Priority)" in words(app.run())


def test_a_sweep_shows_what_is_done_and_failed_and_is_retried(alone):
    asked = Sweep.make(
        {
            "title": "Two methods",
            "bases": ["tiny-t5"],
            "tasks": ["miniworld_nli"],
            "methods": ["lora", "prompt_tuning", "spt"],
            "episodes": {"seeds": 4},
            "training": {"steps": 7},
            "chunk": 2,
        }
    )
    work = SweepJob.create_own(asked)
    for cell in asked.cells()[:2]:
        make_run(**cell.spec.model_dump(mode="json", exclude={"start"}))
    bad = asked.cells()[2].shards[1]
    run = seed_shards.shard_store(RunStore()).create(bad)
    run.write_status(state="failed", message="It *broke*.")
    work.write_status(state="failed", done=5, of=6, message="1 parts failed")
    app = opened()
    assert sound(app)
    assert app.selectbox(key="sweep.watched").options == [f"Two methods ({asked.id})"]
    assert f"part {bad.id}: It *broke*." in words(app)
    table = next(t.value for t in app.dataframe if "Parts" in t.value)
    assert list(table["State"]) == ["Done", "Done", "Failed"]
    assert list(table["Parts"]) == ["2 of 2", "2 of 2", "0 of 2"]
    assert list(table["Method"]) == [METHODS[e.method].title for e in asked.methods]
    links = [link.proto.label for link in app.get("page_link")]
    assert "Compare 2 runs on miniworld_nli with tiny-t5" in links
    button = app.button(key="sweep.again")
    assert button.label == "Retry what failed"
    button.click().run()
    assert [each.id for each in alone] == [asked.id]
    assert run.status().state == "cancelled"


def test_a_saved_sweep_is_the_same_sweep(tmp_path):
    asked = Sweep.make(
        {"bases": ["tiny-t5"], "tasks": ["miniworld_nli"], "methods": ["lora"], "chunk": 3}
    )
    file = tmp_path / "sweep.yaml"
    file.write_text(sweep_spec.to_yaml(asked), "utf-8")
    assert sweep_spec.read(file) == asked
    assert "where" not in json.dumps(sweep_spec.to_yaml(asked))
