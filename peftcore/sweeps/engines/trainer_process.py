"""Train one shard after another in an engine's process, with base models kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from peftcore.errors import BadInput
from peftcore.models.cache import BaseModelCache
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.system.job_folder import JobFailed, run_recording_errors

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


class ShardTrainer:
    """Trains shards on one device."""

    def __init__(
        self, device: str = "cpu", load_base: Callable[[str, str], BaseModel] | None = None
    ) -> None:
        """Keep base models in a cache, loaded by `load_base` if given."""
        self.device = device
        self._base_models = BaseModelCache(load_base)

    def train_shard(self, shard: Shard, stop: Callable[[], bool], worker: str = "") -> ShardOutcome:
        """Train one shard to its end; errors are written to its run and to the outcome."""
        from peftcore.training.run_training import execute_run  # brings torch

        run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
        if run.status().state == "done":
            return ShardOutcome(run.id, "done", worker=worker)
        try:
            status = run_recording_errors(
                run,
                lambda: execute_run(
                    run, device=self.device, base=self.base_model(run.spec.base), stop=stop
                ),
            )
        except (BadInput, JobFailed) as error:
            return ShardOutcome(run.id, "failed", str(error), worker)
        state = "done" if status.state == "done" else "cancelled"
        return ShardOutcome(run.id, state, status.message if state != "done" else "", worker)

    def base_model(self, name: str) -> BaseModel:
        """Return the base, loaded once; a full cache drops the one unused for longest."""
        return self._base_models.get(name, self.device)
