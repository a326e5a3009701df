"""What every process of an engine does: one part after another, with its bases kept warm."""

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
    """Trains parts on one device."""

    def __init__(
        self, device: str = "cpu", load_base: Callable[[str, str], BaseModel] | None = None
    ) -> None:
        self.device = device
        self._base_models = BaseModelCache(load_base)

    def train_shard(self, shard: Shard, stop: Callable[[], bool], worker: str = "") -> ShardOutcome:
        """Bring one part to its end; whatever goes wrong is in its run, and in the outcome."""
        from peftcore.training.run_training import execute_run

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
        """The base, loaded once; the one that was not used for longest makes room."""
        return self._base_models.get(name, self.device)
