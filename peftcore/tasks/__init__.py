"""Tasks by name: the files of this package, and imported tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peftcore.data.corrupted_explanations import with_corruption
from peftcore.data.label_words import with_words
from peftcore.data.task import TASKS, Task
from peftcore.data.templates import with_template
from peftcore.data.wording import Wording
from peftcore.errors import BadInput, unknown_name

if TYPE_CHECKING:
    from peftcore.runs.spec import RunSpec


def find_task(name: str) -> Task:
    """Return the task of this name; BadInput with close matches if there is none."""
    import peftcore.tasks.table as table

    if name in TASKS:
        return TASKS[name]()
    imported_task = table.find_imported_task(name)
    if imported_task is None:
        raise unknown_name("task", name, task_names())
    return imported_task


def task_of(spec: RunSpec) -> Task:
    """Return the task of a spec, asked as the spec says; BadInput if it is gone.

    In its words for labels, by its template, and with training explanations as it wants them.

    Whatever trains or reads answers takes this one; the plain task is the same in data and scores.
    """
    t = spec.training
    task = with_template(with_words(find_task(spec.task), t.label_words), t.template)
    return with_corruption(task, t.explanations)


def find_wording(name: str) -> Wording:
    """Return a task in words; of one that is gone, such as a deleted table, the defaults."""
    try:
        return find_task(name).wording
    except BadInput:
        return Wording()


def task_names() -> list[str]:
    """List all names, those of imported tables last."""
    import peftcore.tasks.table as table

    return [*TASKS, *table.imported_task_names()]
