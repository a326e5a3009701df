"""A small sweep, and an engine that trains in this process."""

import pytest

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import execute
from peftcore.sweeps.engines.base import ShardOutcome
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import SweepJob
from support.bases import build_tiny

TINY = {
    "bases": ["mine"],
    "tasks": ["miniworld_nli"],
    "methods": ["lora", {"method": "prefix_tuning", "settings": {"length": [2, 3]}}],
    "episodes": {"seeds": 3},
    "training": {"shots": 6, "dev": 2, "steps": 2, "batch": 1, "precision": "fp32"},
    "evaluation": {"limit": 3, "max_new_tokens": 2},
    "chunk": 2,
}


@pytest.fixture
def mine(tmp_path_factory, monkeypatch):
    """A random T5 is the only base of one's own, by the name `mine`."""
    folder = tmp_path_factory.mktemp("models")
    base = build_tiny("t5")
    base.model.save_pretrained(folder / "mine")
    base.tokenizer.save_pretrained(folder / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder))


class Here:
    """An engine without processes: does parts in this one, or fails those it is told to."""

    def __init__(self, failing=(), most=99):
        self.trainer, self.failing, self.most, self.seen = ShardTrainer(), set(failing), most, []

    def run_shards(self, todo, stop):
        for work in todo:
            if stop() or len(self.seen) == self.most:
                return
            self.seen.append(work.spec.id)
            if work.spec.id in self.failing:
                run = RunStore(work.store_folder).create(work.spec, include_demos=False)
                run.write_status(state="failed", message="It broke.")
                yield ShardOutcome(run.id, "failed", "It broke.")
            else:
                yield self.trainer.train_shard(work, stop)


def carried(asked, engine, retry=False):
    work = SweepJob.create_own(asked)
    try:
        return execute.run_sweep(work, engine, RunStore(), retry)
    except BadInput:
        return work.status()
