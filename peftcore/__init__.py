"""Adapters on a frozen language model: train them, measure them, look inside.

The names below are the Python interface.  Each is imported when it is first asked for, so that
`import peftcore` alone waits for no other package.

>>> import peftcore
>>> "spt" in peftcore.list_methods().index
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peftcore.api.bases import list_bases, load_base
    from peftcore.api.data import list_tasks, task_from_rows
    from peftcore.api.measurements import attention, bias_only
    from peftcore.api.results import TrainedAdapter, compare, evaluate
    from peftcore.api.storage import from_peft, load, save, to_peft
    from peftcore.api.training import Adaptation, adapt, list_methods, train
    from peftcore.errors import BadInput
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import Run, RunStore

__all__ = [
    "Adaptation",
    "BadInput",
    "Run",
    "RunSpec",
    "RunStore",
    "TrainedAdapter",
    "adapt",
    "attention",
    "bias_only",
    "compare",
    "evaluate",
    "from_peft",
    "list_bases",
    "list_methods",
    "list_tasks",
    "load",
    "load_base",
    "save",
    "task_from_rows",
    "to_peft",
    "train",
]
_MODULES = {
    "peftcore.api.bases": ("list_bases", "load_base"),
    "peftcore.api.data": ("list_tasks", "task_from_rows"),
    "peftcore.api.measurements": ("attention", "bias_only"),
    "peftcore.api.results": ("TrainedAdapter", "compare", "evaluate"),
    "peftcore.api.storage": ("from_peft", "load", "save", "to_peft"),
    "peftcore.api.training": ("Adaptation", "adapt", "list_methods", "train"),
    "peftcore.errors": ("BadInput",),
    "peftcore.runs.spec": ("RunSpec",),
    "peftcore.runs.store": ("Run", "RunStore"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it; Python calls this once for each."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'peftcore' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return sorted({*globals(), *__all__})
