"""Tasks by name: the files of this package, and the tables you imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peftcore.data.task import Task


def find(name: str) -> Task:
    """The task of that name; BadInput with close matches if there is none."""
    import peftcore.tasks.table as table
    from peftcore.data.task import TASKS
    from peftcore.errors import unknown

    if name in TASKS:
        return TASKS[name]()
    found = table.find(name)
    if found is None:
        raise unknown("task", name, names())
    return found


def names() -> list[str]:
    """All names, those of imported tables last."""
    import peftcore.tasks.table as table
    from peftcore.data.task import TASKS

    return [*TASKS, *table.names()]
