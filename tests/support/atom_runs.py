"""Trained runs of atoms on a random T5, and measurements of them."""

import shutil

import pytest

from peftcore import tasks
from peftcore.labs.atoms import compute
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.models.base_model import load
from peftcore.runs.store import RunStore
from peftcore.training import run_training
from peftcore.training.planning import build_spec
from support.bases import build_tiny

TASK = "miniworld_nli"

SMALL = {"shots": 6, "dev": 4, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}

SHORT = {"limit": 6, "max_new_tokens": 3}

ATOMS = {
    "atoms": 2,
    "components": ["attention.query", "cross.key", "ffn.output"],
    "stacks": ["decoder"],
    "threshold": 0.7,
}


def trained(method="atoms", task=TASK, settings=ATOMS, **training):
    spec = build_spec("mine", task, method, settings, {"seeds": 2}, SMALL | training, SHORT)
    run = RunStore().create(spec)
    run_training.execute_run(run, base=load("mine"))
    return run


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace with runs of atoms on a random T5."""
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    base = build_tiny("t5")
    base.model.save_pretrained(models / "mine")
    base.tokenizer.save_pretrained(models / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        patch.setenv("PEFTCORE_MODELS", str(models))
        made = {
            "atoms": trained(learning_rate=0.3),
            "other": trained(task="miniworld_sentiment", learning_rate=0.5),
            "lora": trained("lora", settings={"rank": 2}),
        }
    return home, models, made


@pytest.fixture
def runs(workspace, monkeypatch, home):
    """The runs, in a workspace where nothing was measured yet."""
    made_home, models, made = workspace
    shutil.copytree(made_home / "runs", home / "runs")
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
    return {name: RunStore().open(run.id) for name, run in made.items()}


def done(kind, *names, **fields):
    """A measurement brought to its end."""
    study = AtomsJob.create(AtomsRequest.make({"kind": kind, "runs": names} | fields))
    assert compute.run_atoms_job(study).state == "done"
    return study


def reported(run):
    return run.scores()[tasks.find_task(run.spec.task).main_metric]
