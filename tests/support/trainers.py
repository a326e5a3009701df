"""A trainer that trains nothing, for tests of engines: a shard's shots say how it ends."""

import os
import time
from pathlib import Path

from peftcore.sweeps.engines.base import ShardOutcome


class FakeTrainer:
    """Ends, dies or waits as the shots of a shard say."""

    DIES, DIES_ONCE, WAITS = 13, 14, 15

    def __init__(self, device):
        self.device = device

    def train_shard(self, shard, stop, worker=""):
        """End as the shard's shots say."""
        shots, sign = shard.spec.training.shots, Path(f"{shard.store_folder}-{shard.spec.id}")
        if shots == self.DIES or (shots == self.DIES_ONCE and not sign.exists()):
            sign.touch()
            os._exit(9)
        while shots == self.WAITS:
            sign.touch()
            if stop():
                return ShardOutcome(shard.spec.id, "cancelled", worker=worker)
            time.sleep(0.01)
        return ShardOutcome(shard.spec.id, "done", worker=worker)
