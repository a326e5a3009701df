"""What a task has: how many examples can be asked for, and what its commonest label scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.state import cache
from app.ui import widgets
from peftcore.data.task import Example, Task
from peftcore.metrics.scores import commonest_label
from peftcore.runs.spec import Evaluation


@dataclass(frozen=True)
class AvailableExamples:
    """Most training and validation examples that a task can give one seed; None: not known."""

    shots: int | None = None
    dev: int | None = None


def count_examples(task: Task, shots: int) -> AvailableExamples:
    """Count what is there, where `shots` are taken for training first."""
    train = len(cache.split_examples(task.name, "train").examples)
    if not train:
        return AvailableExamples()
    if task.dev_split == "train":  # validation examples are taken from what training leaves
        most = max(1, train - 1)
        return AvailableExamples(most, max(1, train - min(shots, most)))
    dev = len(cache.split_examples(task.name, task.dev_split).examples)
    return AvailableExamples(train, dev or None)


def cut_to_available(task: Task, key: str, what: str, wanted: int, most: int | None) -> int:
    """Return how many examples a field begins with: what was wanted, or all there are, said once.

    key: of the field's widget, whose number is lowered as well.
    """
    if most is None:
        return wanted
    entered = st.session_state.get(key)
    asked = entered if isinstance(entered, int) else wanted
    if asked > most:
        if entered is not None:
            st.session_state[key] = most
        st.caption(
            f"{widgets.escape_markdown(task.title)} has {most:,} {what} examples to give, so "
            f"{most:,} are taken instead of {asked:,}."
        )
        return most
    return wanted


def majority_text(task: Task, evaluation: Evaluation) -> str:
    """Say what always giving the commonest label scores on the answered examples; or nothing."""
    if not task.labels:
        return ""
    rows = cache.split_examples(task.name, evaluation.split).examples
    if not rows:
        return ""
    taken: Sequence[Example] = rows
    if len(rows) > evaluation.limit:
        key = f"{task.name}/{evaluation.split}"
        taken = task.sample_balanced(list(rows), evaluation.limit, key, evaluation.split)
    label, share = commonest_label([str(row.label) for row in taken])
    return (
        f"To beat: always answering “{widgets.escape_markdown(label)}” is right in "
        f"{100 * share:.0f} % of the {len(taken):,} {evaluation.split} "
        f"examples, guessing among {len(task.labels)} labels in {100 / len(task.labels):.0f} %."
    )
