"""Runs of a tiny random base, and a Scaling page without demo runs and workers."""

import shutil

import pytest
from support.scaling_page import asked

from app.labs.scaling import ablation_views
from app.state import cache
from peftcore.runs.store import RunStore
from peftcore.training.run_training import execute_run


@pytest.fixture(scope="module")
def shelf(tiny, tmp_path_factory):
    """A folder of base models with the random T5."""
    folder, base = tmp_path_factory.mktemp("models"), tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    return folder


@pytest.fixture(scope="module")
def trained(shelf, tmp_path_factory):
    """A folder with a run of scaled prompt tuning and one of prompt tuning."""
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(shelf))
        for method in ("spt", "prompt_tuning"):
            execute_run(store.create(asked(method)))
    return store.folder


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, shelf):
    """No demo runs, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setattr(cache, "imports_ready", lambda: True)
    monkeypatch.setattr(ablation_views, "ensure_worker", lambda **_: False)
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    monkeypatch.setenv("PEFTCORE_MODELS", str(shelf))


@pytest.fixture
def runs(trained, home):
    """Method → its run, in the workspace of the test."""
    shutil.copytree(trained, home / "runs")
    return {run.spec.method: run for run in RunStore().all(include_demos=False)}
