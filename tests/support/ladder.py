"""Made-up runs of the ladder: the middle of what is tried does best on dev."""

import functools

import pytest

from peftcore.experiments import ladder
from peftcore.experiments.ladder import ZERO_SHOT, find_arm, find_rung
from peftcore.runs.store import RunStore
from support.runs import make_run

RUNG = find_rung("b")
LORA, PROMPT = find_arm("LoRA"), find_arm("Prompt tuning")


def train(spec, done=None):
    """Finish the run of a spec with made-up results; `done` gets its id."""
    values = spec.model_dump()
    values = {name: values[name] for name in ("settings", "population", "training", "evaluation")}
    run = make_run(spec.method, spec.task, store=ladder.RunStore(), **values)
    assert run.id == spec.id
    run.write_status(
        seeds=[
            {"seed": n, "best_step": 40, "best_dev": dev_loss(spec), "stopped": None}
            for n in spec.population.seed_numbers()
        ]
    )
    if done is not None:
        done.append(spec)
    return run


def dev_loss(spec):
    """A dev loss that is lowest in the middle of the rates, or of the instructions."""
    return dev_losses().get(spec.id, 0.5)


@functools.cache
def dev_losses():
    """Id of every try → its dev loss."""
    return {
        ladder.try_spec(rung, arm, value).id: 1.0 + abs(nth - 1)
        for rung in ladder.RUNGS
        for arm in ladder.ARMS
        for nth, value in enumerate(ladder.tried_values(rung, arm))
    }


@pytest.fixture
def nothing_shipped(home, monkeypatch, tmp_path):
    """No run and no try of the ladder is there."""
    monkeypatch.setattr(ladder, "TRIES_FILE", tmp_path / "tries.csv")
    empty = lambda *args: RunStore(home / "runs", tmp_path / "none")
    monkeypatch.setattr(ladder, "RunStore", empty)


@pytest.fixture
def trained_ladder(nothing_shipped):
    """Three arms on one rung, and the specs in the order of their training."""
    done = []
    arms = [ZERO_SHOT, LORA, PROMPT]
    cells = ladder.train_ladder(lambda spec: train(spec, done), rungs=[RUNG], arms=arms)
    return cells, done
