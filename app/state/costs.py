"""What runs will cost, counted in one background thread, so that a page never waits for it.

A page asks for the specs it shows and gets what is known; those nobody asks for any more are
dropped from the queue.  No Streamlit call in here: the thread has no page.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from app.state import heavy_imports
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.training.estimate import Estimate

MAX_KEPT = 256


class CostEstimator:
    """Estimates by spec; a run that cannot work has the reason instead."""

    def __init__(self, estimate_spec: Callable[[RunSpec], Estimate] | None = None) -> None:
        self._estimate = estimate_spec or estimate_run
        self._futures_by_spec: OrderedDict[str, Future[Estimate | BadInput]] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="costs")

    def estimates_so_far(self, specs: Sequence[RunSpec]) -> list[Estimate | BadInput | None]:
        """Return each spec's cost, why it cannot run, or None while it is being counted."""
        futures = self._futures(specs)
        return [
            future.result() if future.done() and not future.cancelled() else None
            for future in futures
        ]

    def wait_for_estimates(self, specs: Sequence[RunSpec]) -> list[Estimate | BadInput]:
        """The same, however long it takes; another page may have put ours off meanwhile."""
        while True:
            try:
                return [future.result() for future in self._futures(specs)]
            except CancelledError:
                continue

    def _futures(self, specs: Sequence[RunSpec]) -> list[Future[Estimate | BadInput]]:
        """Return the pending estimate of each spec, beginning new ones."""
        with self._lock:
            wanted = [self._future(spec) for spec in specs]
            for key, future in list(self._futures_by_spec.items()):
                if future not in wanted and future.cancel():
                    del self._futures_by_spec[key]
            while len(self._futures_by_spec) > max(MAX_KEPT, len(specs)):
                self._futures_by_spec.popitem(last=False)
            return wanted

    def _future(self, spec: RunSpec) -> Future[Estimate | BadInput]:
        if spec.id not in self._futures_by_spec:
            self._futures_by_spec[spec.id] = self._pool.submit(self._estimate_or_error, spec)
        self._futures_by_spec.move_to_end(spec.id)
        return self._futures_by_spec[spec.id]

    def _estimate_or_error(self, spec: RunSpec) -> Estimate | BadInput:
        """Estimate a cost, or return why the run cannot work."""
        try:
            return self._estimate(spec)
        except BadInput as error:
            return error


def estimate_run(spec: RunSpec) -> Estimate:
    """The cost of one run, BadInput if it cannot work; loads the base and takes two trial steps."""
    from peftcore.training import planning

    base = load_base_model(spec.base)
    planning.check_spec(spec, base)
    return planning.estimate_cost(spec, base)


@lru_cache(maxsize=2)
def load_base_model(name: str) -> BaseModel:
    """A frozen base model, one in memory for all threads; nobody changes it."""
    heavy_imports.import_all()
    from peftcore.models import base_model

    return base_model.load(name)
