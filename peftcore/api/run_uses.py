"""What can be done with a run next: the labs that show it, the runs like it, how to take it along.

The one place that knows which lab shows which run; the pages' links and `runs next` come from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparability
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

ATOMS, SPARSEFIT = "atoms", "sparsefit"  # methods with a lab of their own


@dataclass(frozen=True)
class RunUses:
    """Uses of one run; `reason` says what stands against labs that need its base."""

    labs: tuple[str, ...]  # by the names of their pages
    ask: bool  # it can be asked anew
    export: bool  # its adapter is stored, and can be taken to other programs
    rate: bool  # it explains, so people can rate it
    alike: tuple[str, ...]  # ids of finished runs it can be compared with, the newest first
    reason: str = ""
    combine: bool = False  # another run has the same base and method, so both can be mixed


def uses_of_run(run: Run, others: Iterable[Run] = ()) -> RunUses:
    """Find what a run can be used for; a run that is not finished has no use yet."""
    if run.status().state != "done":
        return RunUses((), False, False, False, (), f"run {run.id} is {run.status().state}")
    others = list(others)
    has_adapter = has_stored_adapter(run)
    base_here = catalog.is_at_hand(run.spec.base)
    reason = "" if base_here else f"the base {run.spec.base} is not on this machine"
    if not has_adapter:
        reason = "its adapter is not stored"
    labs = tuple(lab for lab in LABS if _shows(lab, run, has_adapter, base_here))
    return RunUses(
        labs,
        has_adapter and base_here,
        has_adapter,
        explains(run),
        tuple(other.id for other in runs_alike(run, others)),
        reason,
        "weights" in labs and any(_can_be_mixed(run, other) for other in others),
    )


def has_stored_adapter(run: Run) -> bool:
    """Return whether what a run learnt is stored with it."""
    return (run.folder / "adapter.safetensors").is_file()


def _can_be_mixed(run: Run, other: Run) -> bool:
    """Return whether the changes of two runs fit into one adapter."""
    return (
        other.id != run.id
        and (other.spec.base, other.spec.method) == (run.spec.base, run.spec.method)
        and other.status().state == "done"
        and has_stored_adapter(other)
    )


LABS = ("attention", "limits", "weights", "landscape", "scaling", "components", "atoms", "images")


def _shows(lab: str, run: Run, has_adapter: bool, base_here: bool) -> bool:
    """Return whether a lab shows a finished run."""
    method, task = run.spec.method, run.spec.task
    injects = METHODS[method].injects if method in METHODS else None
    of_images = bool(_image_world(task))
    can_ask = has_adapter and base_here
    return {
        "attention": can_ask and not of_images,
        "limits": can_ask and injects in ("prefix", "output") and not of_images,
        "weights": has_adapter and not of_images,
        "landscape": has_adapter,
        "scaling": can_ask and injects == "prompt",
        "components": explains(run),
        "atoms": has_adapter and method == ATOMS,
        "images": of_images,
    }[lab]


def _image_world(task: str) -> str:
    """Return what a task draws; empty for tasks of text and those that are gone."""
    try:
        return str(getattr(tasks.find_task(task), "image_world", ""))
    except BadInput:
        return ""


def explains(run: Run) -> bool:
    """Return whether a run's task asks for a label and a reason."""
    try:
        return tasks.find_task(run.spec.task).kind == "explain"
    except BadInput:
        return False


def runs_alike(run: Run, others: Iterable[Run]) -> Sequence[Run]:
    """Return the finished runs that can be compared with a run, itself left out."""
    wanted = [term.value for term in comparability.requirements(run)]
    return [
        other
        for other in others
        if other.id != run.id
        and other.spec.task == run.spec.task  # cheap, before manifests are read
        and other.spec.base == run.spec.base
        and other.status().state == "done"
        and [term.value for term in comparability.requirements(other)] == wanted
    ]
