"""Trained runs of every shape on random bases, and landscapes of them."""

import pytest

from peftcore.labs.landscape import compute
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import load
from peftcore.runs.store import RunStore
from peftcore.training import run_training
from peftcore.training.planning import build_spec
from support.bases import build_tiny

SMALL = {"shots": 6, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}

SHORT = {"limit": 4, "max_new_tokens": 3}


def trained(base="mine", method="prefix_tuning", vertices=3, seeds=2, settings=None, **training):
    spec = build_spec(
        base,
        "miniworld_nli",
        method,
        settings,
        {"seeds": seeds, "vertices": vertices},
        SMALL | {"validation": "deterministic", "learning_rate": 0.5} | training,
        SHORT,
    )
    run = RunStore().create(spec)
    run_training.execute_run(run, base=load(base))
    return run


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace with a simplex, two plain runs of its shape, and random bases."""
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    for name, family in (("mine", "t5"), ("reader", "bert"), ("writer", "gpt2")):
        base = build_tiny(family)
        base.model.save_pretrained(models / name)
        base.tokenizer.save_pretrained(models / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        patch.setenv("PEFTCORE_MODELS", str(models))
        runs = {
            "simplex": trained(settings={"length": 3}),
            "plain": trained(settings={"length": 3}, vertices=1),
            "other": trained(settings={"length": 3}, vertices=1, batch=2),
            "decoder": trained(settings={"length": 3, "places": ["decoder", "cross"]}),
            "reader": trained("reader", settings={"length": 3}),
            "lora": trained("writer", "lora", settings={"rank": 2}),
        }
    return home, models, runs


@pytest.fixture
def runs(workspace, monkeypatch):
    home, models, made = workspace
    monkeypatch.setenv("PEFTCORE_HOME", str(home))
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
    return made


def done(kind, *names, **fields):
    """A landscape brought to its end, with few points unless told otherwise."""
    small = {"examples": 4, "steps": 3, "beyond": 0, "copies": 4, "bend_steps": 3}
    ask = LandscapeRequest.make({"kind": kind, "runs": names} | small | fields)
    landscape = LandscapeJob.create(ask)
    assert compute.run_landscape_job(landscape).state == "done"
    return landscape


def at(table, mark):
    return table.loc[table["mark"] == mark, "loss"].item()
