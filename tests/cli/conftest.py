"""Runs made from the command line, once."""

import shutil

import pytest
from support.commands import train
from support.ladder import nothing_shipped, trained_ladder  # noqa: F401
from support.rating_commands import run_rating
from support.runs import make_runs
from support.sweeps import mine  # noqa: F401

from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2}


@pytest.fixture(scope="session")
def random_models(tiny, tmp_path_factory):
    """A folder of bases with a random one, as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    base = tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    return folder


@pytest.fixture(scope="module")
def models(random_models):
    """That folder as the one that bases are looked for in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(random_models))
        yield random_models


@pytest.fixture(scope="session")
def trained(random_models, tmp_path_factory):
    """A workspace with three runs, made once from the command line: what each printed."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        patch.setenv("PEFTCORE_MODELS", str(random_models))
        lora = train("lora", "--set", "rank=2")
        prompt = train("prompt_tuning", "--learning-rate", "0.05")
        other = train("lora", "--shots", "9")
    return home, lora, prompt, other


@pytest.fixture
def three(trained, models, monkeypatch):
    """Ids of the three runs, in their workspace."""
    home, *results = trained
    monkeypatch.setenv("PEFTCORE_HOME", str(home))
    return [result["run"] for result in results]


@pytest.fixture
def made(home):
    """What `rating create` printed of a project."""
    runs = [run.id for run in make_runs(methods=("spt", "lora"))]
    return run_rating("create", *runs, "--name", "Mine", "--set", "items=4", "--set", "overlap=2")


@pytest.fixture(scope="session")
def prompt_runs(random_models, tmp_path_factory):
    """A folder with a run of scaled prompt tuning and one of prompt tuning."""
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(random_models))
        for method in ("spt", "prompt_tuning"):
            scored = {"limit": 3, "max_new_tokens": 2}
            asked = ("random-t5", "miniworld_nli", method, {"length": 5}, {"seeds": 2})
            execute_run(store.create(build_spec(*asked, TRAINING, scored)))
    return store.folder


@pytest.fixture
def runs(prompt_runs, home, models):
    """Method → its run of soft prompts, in the workspace of the test."""
    shutil.copytree(prompt_runs, home / "runs")
    return {run.spec.method: run for run in RunStore().all(include_demos=False)}
