"""`forgetting` measures runs that lack it, once, and prints what the rest have."""

import json

import pytest
from support.commands import printed
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.labs.forgetting.compute import run_forgetting_job
from peftcore.labs.forgetting.request import ForgettingJob, ForgettingRequest
from peftcore.runs import forgetting
from peftcore.runs.store import RunStore

DEMO = "5a7da5def8b7"


def test_a_shipped_run_is_measured_into_the_workspace(home, monkeypatch):
    own = RunStore().demo_folder / DEMO / forgetting.FILE
    monkeypatch.setattr(forgetting, "FILE", "not-shipped.json")
    first = printed("forgetting", DEMO)[DEMO]
    assert (home / "forgetting" / f"{DEMO}.json").is_file()
    assert first["forgetting_loss"]["low"] < first["forgetting_loss"]["mean"]
    seeds = len(RunStore().open(DEMO).spec.population.seed_numbers())
    assert len(first["forgetting_pairs"]["seeds"]) == seeds
    monkeypatch.setattr("peftcore.training.forgetting.measure", None)  # not measured again
    assert printed("forgetting", DEMO)[DEMO] == first
    listed = next(row for row in printed("runs") if row["run"] == DEMO)
    assert listed["forgetting"] == first
    # What ships was measured by this very command.
    shipped = json.loads(own.read_text())
    after = forgetting.Forgetting.parse(shipped).seed_values()[forgetting.LOSS]
    assert first["forgetting_loss"]["seeds"] == pytest.approx(after, abs=2e-3)


def test_a_job_begins_again_once_a_result_is_gone(home):
    job = ForgettingJob.create(ForgettingRequest.make({"runs": (DEMO,)}))
    assert job.request.command_arguments() == ["forgetting", DEMO]
    status = run_forgetting_job(job)
    assert status.state == "done"
    job.reset_if_lost()
    assert job.status().state == "done"


def test_an_encoder_is_refused_in_words():
    run = make_run("lora", base="tiny-bert")
    with pytest.raises(BadInput, match="reads but does not write"):
        run_forgetting_job(ForgettingJob.create(ForgettingRequest.make({"runs": (run.id,)})))
