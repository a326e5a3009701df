"""What runs will cost, counted in a process of its own, so that no page waits and no server works.

A page asks for the specs it shows and gets what is known; those nobody asks for any more are
dropped, be they waiting or under way.  No Streamlit call in here: the thread has no page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from app.state import heavy_imports
from peftcore.errors import BadInput
from peftcore.jobs.estimate_process import EstimateProcess, NotWanted
from peftcore.runs.spec import RunSpec

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.training.planning import CostEstimate

MAX_KEPT = 256
WANTED_SECONDS = 10.0  # after the last question of a page, which asks every two seconds

EstimateSpec = Callable[[RunSpec, Callable[[], bool]], "CostEstimate"]


class CostEstimator:
    """Estimates by spec; a run that cannot work has the reason instead."""

    def __init__(self, estimate_spec: EstimateSpec | None = None) -> None:
        """Take what estimates a spec for as long as it is wanted; by default the process does."""
        self._estimate = estimate_spec or estimate_process().estimate
        # A future without a result was dropped before it was counted.
        self._futures_by_spec: OrderedDict[str, Future[CostEstimate | BadInput | None]] = (
            OrderedDict()
        )
        self._asked: dict[str, float] = {}  # when a page last asked for a spec
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="costs")

    def estimates_so_far(self, specs: Sequence[RunSpec]) -> list[CostEstimate | BadInput | None]:
        """Return each spec's cost, why it cannot run, or None while it is being counted."""
        futures = self._futures(specs)
        return [
            future.result() if future.done() and not future.cancelled() else None
            for future in futures
        ]

    def wait_for_estimates(self, specs: Sequence[RunSpec]) -> list[CostEstimate | BadInput]:
        """The same, however long it takes; another page may have put ours off meanwhile."""
        while True:
            try:
                results = [self._result(future, specs) for future in self._futures(specs)]
            except CancelledError:
                continue
            known = [result for result in results if result is not None]
            if len(known) == len(specs):
                return known

    def _result(
        self, future: Future[CostEstimate | BadInput | None], specs: Sequence[RunSpec]
    ) -> CostEstimate | BadInput | None:
        """Wait for one estimate, going on to want all of them."""
        while True:
            try:
                return future.result(timeout=WANTED_SECONDS / 4)
            except TimeoutError:
                self._note_asked(specs)

    def _note_asked(self, specs: Sequence[RunSpec]) -> None:
        self._asked |= dict.fromkeys((spec.id for spec in specs), time.monotonic())

    def _is_wanted(self, spec_id: str) -> bool:
        return time.monotonic() - self._asked.get(spec_id, 0.0) <= WANTED_SECONDS

    def _futures(self, specs: Sequence[RunSpec]) -> list[Future[CostEstimate | BadInput | None]]:
        """Return the pending estimate of each spec, beginning new ones."""
        with self._lock:
            self._note_asked(specs)
            wanted = [self._future(spec) for spec in specs]
            for key, future in list(self._futures_by_spec.items()):
                if future not in wanted and future.cancel():
                    del self._futures_by_spec[key]
            while len(self._futures_by_spec) > max(MAX_KEPT, len(specs)):
                key, _ = self._futures_by_spec.popitem(last=False)
                self._asked.pop(key, None)
            return wanted

    def _future(self, spec: RunSpec) -> Future[CostEstimate | BadInput | None]:
        known = self._futures_by_spec.get(spec.id)
        if known is None or (known.done() and not known.cancelled() and known.result() is None):
            self._futures_by_spec[spec.id] = self._pool.submit(self._estimate_or_error, spec)
        self._futures_by_spec.move_to_end(spec.id)
        return self._futures_by_spec[spec.id]

    def _estimate_or_error(self, spec: RunSpec) -> CostEstimate | BadInput | None:
        """Estimate a cost, or return why the run cannot work; None if nobody waits any more."""
        if not self._is_wanted(spec.id):
            return None
        try:
            return self._estimate(spec, lambda: self._is_wanted(spec.id))
        except BadInput as error:
            return error
        except NotWanted:
            return None


@lru_cache(maxsize=1)
def estimate_process() -> EstimateProcess:
    """The one process of this server that tries runs."""
    return EstimateProcess()


@lru_cache(maxsize=2)
def load_base_model(name: str) -> BaseModel:
    """A frozen base model, one in memory for all threads; nobody changes it."""
    heavy_imports.import_all()
    from peftcore.models import base_model

    return base_model.load(name)
