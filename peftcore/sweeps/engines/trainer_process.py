"""What every process of an engine does: one part after another, with its bases kept warm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.base import Outcome, Work

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

WARM = 2  # bases kept in memory


class Hands:
    """Trains parts on one device."""

    def __init__(
        self, device: str = "cpu", load: Callable[[str, str], BaseModel] | None = None
    ) -> None:
        self.device, self._load = device, load
        self._warm: dict[str, BaseModel] = {}

    def do(self, work: Work, stop: Callable[[], bool], by: str = "") -> Outcome:
        """Bring one part to its end; whatever goes wrong is in its run, and in the outcome."""
        from peftcore.jobs.worker import Failed, attempt
        from peftcore.training.run_training import perform

        run = RunStore(work.store).create(work.spec, demo=False)
        if run.status().state == "done":
            return Outcome(run.id, "done", by=by)
        try:
            status = attempt(
                run,
                lambda: perform(run, device=self.device, base=self.base(run.spec.base), stop=stop),
            )
        except (BadInput, Failed) as error:
            return Outcome(run.id, "failed", str(error), by)
        state = "done" if status.state == "done" else "stopped"
        return Outcome(run.id, state, status.message if state != "done" else "", by)

    def base(self, name: str) -> BaseModel:
        """The base, loaded once; the one that was not used for longest makes room."""
        if name in self._warm:
            self._warm[name] = self._warm.pop(name)
            return self._warm[name]
        from peftcore.models.base_model import load

        while len(self._warm) >= WARM:
            del self._warm[next(iter(self._warm))]
        self._warm[name] = (self._load or load)(name, self.device)
        return self._warm[name]
