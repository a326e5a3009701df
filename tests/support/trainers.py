"""Hands that train nothing, for tests of engines: they end parts as the part's method says."""

import os
import time
from pathlib import Path

from peftcore.sweeps.engines.base import Outcome


class ToyHands:
    """The shots of a part say what happens to it."""

    DIES, DIES_ONCE, WAITS = 13, 14, 15

    def __init__(self, device):
        self.device = device

    def do(self, work, stop, by=""):
        shots, sign = work.spec.training.shots, Path(f"{work.store}-{work.spec.id}")
        if shots == self.DIES or (shots == self.DIES_ONCE and not sign.exists()):
            sign.touch()
            os._exit(9)
        while shots == self.WAITS:
            sign.touch()
            if stop():
                return Outcome(work.spec.id, "stopped", by=by)
            time.sleep(0.01)
        return Outcome(work.spec.id, "done", by=by)
