"""Tasks: those there are, and those made of your own rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.tasks.table import TaskKind, import_table

Rows: TypeAlias = Sequence[Mapping[str, Any]] | pd.DataFrame


def list_tasks() -> pd.DataFrame:
    """List the tasks: title, kind, labels, main metric, and where the data come from.

    Tasks of public data sets are listed whether or not their files are on this machine.

    >>> import peftcore
    >>> peftcore.list_tasks().loc["miniworld_nli", "kind"]
    'explain'
    """
    found = {name: tasks.find_task(name) for name in tasks.task_names()}
    rows = [
        {
            "task": name,
            "title": task.title,
            "kind": task.kind,
            "labels": list(task.labels),
            "main_metric": task.main_metric,
            "source": task.source_note,
        }
        for name, task in found.items()
    ]
    return pd.DataFrame(rows).set_index("task")


def task_from_rows(
    rows: Rows,
    *,
    name: str = "own rows",
    kind: TaskKind = "classify",
    seed: int = 0,
    **columns: Any,
) -> str:
    """Keep your own rows as a task, and return the task's name; equal rows give the same task.

    `rows` is a list of dicts or a DataFrame.  `columns` says which column is what: `text` (one
    column, or two for a pair; default "text"), `target` (default "label"), and where there are
    such, `explanation`, `split` (train, validation or test; otherwise 60/20/20 are drawn with the
    `seed`) and `template` (how a row reads, as in "{text} Is this good?").  `kind` is classify,
    explain or generate.  BadInput names what cannot be used.

    >>> import peftcore
    >>> rows = [
    ...     {"review": f"{word} {thing}", "label": label}
    ...     for word, label in (("good", "positive"), ("bad", "negative"))
    ...     for thing in ("film", "book", "song", "play", "game", "meal")
    ... ]
    >>> task = peftcore.task_from_rows(rows, text="review")
    >>> peftcore.list_tasks().loc[task, "labels"]
    ['negative', 'positive']
    """
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if table.empty:
        raise BadInput("there are no rows")
    plain = table.astype(object).where(table.notna(), None).to_dict("records")
    lines = "".join(f"{json.dumps(row, ensure_ascii=False, default=str)}\n" for row in plain)
    chosen = {"text": "text", "target": "label"} | columns
    if isinstance(chosen["text"], str):
        chosen["text"] = (chosen["text"],)
    return import_table(lines.encode(), name, chosen, kind, filename="rows.jsonl", seed=seed)
