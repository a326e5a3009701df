"""A shard is brought to its end, and whatever goes wrong is in its outcome."""

import pytest
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.base import Shard
from peftcore.sweeps.engines.trainer_process import ShardTrainer


@pytest.fixture
def shard(tmp_path):
    spec = RunSpec(
        base="random-t5",
        task="miniworld_nli",
        method="ia3",
        population=Members(seeds=1),
        training=Training(shots=3, dev=3, steps=2, batch=3, evaluate_every=1, precision="fp32"),
        evaluation=Evaluation(limit=3, max_new_tokens=2),
    )
    return Shard(spec, tmp_path / "runs")


def never():
    return False


def test_a_shard_is_trained_once(shard):
    loaded = []

    def load(name, device):
        loaded.append((name, device))
        return build_tiny("t5")

    first = ShardTrainer("cpu", load).train_shard(shard, never, "me")
    assert (first.shard_id, first.state, first.worker) == (shard.spec.id, "done", "me")
    run = RunStore(shard.store_folder).open(shard.spec.id)
    assert run.status().state == "done"
    again = ShardTrainer("cpu", load).train_shard(shard, never)
    assert again.state == "done"
    assert loaded == [("random-t5", "cpu")]


def test_a_base_that_is_not_there_fails_the_shard_with_the_sentence(shard):
    def load(name, device):
        raise BadInput(f"no base {name!r}")

    outcome = ShardTrainer("cpu", load).train_shard(shard, never)
    assert outcome.state == "failed"
    assert "no base 'random-t5'" in outcome.message
    assert RunStore(shard.store_folder).open(shard.spec.id).status().state == "failed"


def test_a_fault_of_ours_fails_the_shard_and_is_in_the_log(shard):
    def load(name, device):
        raise RuntimeError("broken")

    outcome = ShardTrainer("cpu", load).train_shard(shard, never)
    assert outcome.state == "failed"
    assert "broken" in RunStore(shard.store_folder).open(shard.spec.id).log()


def test_a_shard_that_is_asked_to_stop_says_so_and_keeps_its_checkpoint(shard):
    outcome = ShardTrainer("cpu", lambda *_: build_tiny("t5")).train_shard(shard, lambda: True)
    assert outcome.state == "cancelled"
    assert RunStore(shard.store_folder).open(shard.spec.id).status().resumable
