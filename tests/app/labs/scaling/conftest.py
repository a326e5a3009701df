"""Runs of soft prompts on a tiny random base, trained once."""

import shutil

import pytest

from app.labs.scaling import ablation_views
from app.state import cache
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2}


@pytest.fixture(scope="session")
def models(tiny, tmp_path_factory):
    """A folder of base models with the random T5."""
    folder, base = tmp_path_factory.mktemp("models"), tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    return folder


@pytest.fixture(scope="session")
def trained(models, tmp_path_factory):
    """A folder with a run of scaled prompt tuning and one of prompt tuning."""
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(models))
        for method in ("spt", "prompt_tuning"):
            execute_run(store.create(asked(method)))
    return store.folder


def asked(method, task="miniworld_nli", **settings):
    members, scored = {"seeds": 2}, {"limit": 3, "max_new_tokens": 2}
    return build_spec(
        "random-t5", task, method, {"length": 5} | settings, members, TRAINING, scored
    )


@pytest.fixture(autouse=True)
def alone(monkeypatch, models, no_demo_runs):
    """No demo runs, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "imports_ready", lambda: True)
    monkeypatch.setattr(ablation_views, "ensure_worker", lambda **_: False)
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))


@pytest.fixture
def runs(trained, home):
    """Method → its run, in the workspace of the test."""
    shutil.copytree(trained, home / "runs")
    return {run.spec.method: run for run in RunStore().all(include_demos=False)}
