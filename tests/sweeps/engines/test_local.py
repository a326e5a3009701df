"""Processes of this machine: every part once, deaths survived, stops obeyed."""

from pathlib import Path

import pytest
from support.trainers import FakeTrainer

from peftcore.runs.spec import RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.base import Shard
from peftcore.sweeps.engines.local import LocalEngine


def part(store, seed, shots=1):
    spec = RunSpec(base="b", task="t", method="m", training=Training(shots=shots))
    population = spec.population.model_copy(update={"first_seed": seed})
    return Shard(spec.model_copy(update={"population": population}), store)


@pytest.mark.timeout(120)
def test_every_part_ends_once_and_deaths_are_survived(tmp_path):
    store = tmp_path / "runs"
    todo = [part(store, seed) for seed in range(5)]
    todo.insert(1, once := part(store, 10, FakeTrainer.DIES_ONCE))
    todo.insert(3, never := part(store, 11, FakeTrainer.DIES))
    engine = LocalEngine(2, trainer=FakeTrainer)
    found = list(engine.run_shards(todo, lambda: False))
    states = {outcome.shard_id: outcome.state for outcome in found}
    assert len(found) == len(states) == 7
    assert states.pop(never.spec.id) == "failed"
    assert set(states.values()) == {"done"}
    assert once.spec.id in states
    status = RunStore(store).open(never.spec.id).status()
    assert status.state == "failed"
    assert "died 2 times (exit status 9)" in status.message
    assert engine._workers == []


@pytest.mark.timeout(120)
def test_a_stop_ends_what_is_at_work_and_begins_nothing_more(tmp_path):
    store = tmp_path / "runs"
    todo = [part(store, seed, FakeTrainer.WAITS) for seed in range(3)]
    begun = Path(f"{store}-{todo[0].spec.id}")
    found = list(LocalEngine(1, trainer=FakeTrainer).run_shards(todo, begun.exists))
    assert [(outcome.shard_id, outcome.state) for outcome in found] == [
        (todo[0].spec.id, "cancelled")
    ]
    assert not Path(f"{store}-{todo[1].spec.id}").exists()
