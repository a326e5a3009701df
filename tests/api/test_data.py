"""Own rows as a task, from a list or a table."""

import pandas as pd
import pytest

from peftcore import tasks
from peftcore.api.data import list_tasks, task_from_rows
from peftcore.errors import BadInput

ROWS = [
    {"a": f"text {n}", "b": f"other {n}", "label": label}
    for n, label in enumerate(["yes", "no"] * 10)
]


def test_a_list_and_a_table_of_equal_rows_are_one_task():
    first = task_from_rows(ROWS, text="a")
    assert task_from_rows(pd.DataFrame(ROWS), text="a") == first
    assert first in list_tasks().index


def test_two_columns_are_a_pair_of_texts():
    task = tasks.find_task(task_from_rows(ROWS, text=("a", "b")))
    assert all(len(row.parts) == 2 for row in task.load("train"))


def test_what_is_missing_in_a_table_is_missing_in_the_rows():
    table = pd.DataFrame(ROWS)
    table.loc[0, "label"] = None
    task = tasks.find_task(task_from_rows(table, text="a"))
    assert sum(len(task.load(split)) for split in ("train", "validation", "test")) == 19


@pytest.mark.parametrize(
    ("rows", "columns", "sentence"),
    [
        ([], {}, "there are no rows"),
        (ROWS, {"text": "c"}, "'c'"),
    ],
)
def test_what_cannot_be_used_is_named(rows, columns, sentence):
    with pytest.raises(BadInput, match=sentence):
        task_from_rows(rows, **columns)
