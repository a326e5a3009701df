"""The text that labs look at, behind one button of the subject bar: an example, or a typed one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.state import cache, run_catalog
from app.ui import subject, widgets
from peftcore.data.task import Example
from peftcore.training.predict import typed_example

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

EXAMPLE, OWN = "example", "own"
SOURCE_TITLES = {EXAMPLE: "An example", OWN: "My own text"}
MAX_SHOWN = 16  # characters of a text on its button


def pick_text(
    lab: str,
    bar: DeltaGenerator,
    first_task: str,
    more: Callable[[], None] = lambda: None,
) -> tuple[str, Example | None]:
    """Offer a task's test examples and typed text; return the task and the text, None if empty.

    first_task: the task whose examples are usual; `more` draws further choices below the text.
    """
    names = [task.name for task in cache.list_tasks() if task.available()]
    names = [first_task, *(name for name in names if name != first_task)]
    source = subject.Choice(
        lab, "source", "Input", list(SOURCE_TITLES), option_text=SOURCE_TITLES.__getitem__
    )
    task = subject.Choice(
        lab, "task", "Examples of", names, option_text=run_catalog.task_title
    ).settle()
    rows = cache.split_examples(task, "test")
    with bar.popover(
        _button_text(lab, source.settle(), rows.examples),
        key=f"{lab}.text.menu",
    ):
        example, problem = None, ""
        if source.as_buttons() == OWN:
            example = _type_text(lab)
        else:
            subject.Choice(
                lab, "task", "Examples of", names, option_text=run_catalog.task_title
            ).as_list()
            if rows.examples:
                example = _pick_example(lab, rows.examples)
            else:
                problem = rows.problem or "This task has no test examples."
                st.warning(widgets.escape_markdown(problem))
        more()
    st.session_state[f"{lab}.text.problem"] = problem
    return task, example


def say_what_is_missing(lab: str, purpose: str) -> None:
    """Say why `pick_text` found no text to look at, and how to come to one."""
    problem = st.session_state.get(f"{lab}.text.problem", "")
    if not problem:
        st.caption(f"Type a text above, and {purpose}.")
        return
    st.info(
        f"{widgets.escape_markdown(widgets.as_sentence(problem))} The button Text above offers the "
        f"examples of other tasks, or takes a text of your own; then {purpose}.",
        icon=":material/database_off:",
    )


def _button_text(lab: str, source: str, rows: Sequence[Example]) -> str:
    """The beginning of the text that is looked at."""
    text = st.session_state.get(f"{lab}.text") or st.query_params.get("text", "")
    if source == EXAMPLE:
        text = rows[_numbers(lab, rows).settle() - 1].source if rows else ""
    if not text.strip():
        return "Type a text" if source == OWN else "Text"
    # The end of an example says more than its beginning, which is the task's template.
    shown = text if len(text) <= MAX_SHOWN else f"…{text[-MAX_SHOWN:]}"
    return widgets.escape_markdown(f"“{shown}”")


def _numbers(lab: str, rows: Sequence[Example]) -> subject.Choice[int]:
    count = len(rows)
    return subject.Choice(lab, "example", f"Example, 1 to {count:,}", range(1, count + 1))


def _pick_example(lab: str, rows: Sequence[Example]) -> Example:
    """One of the examples, by number or by chance."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = _numbers(lab, rows).as_number(width=180)
        st.button(
            "Another",
            key=f"{lab}.another",
            icon=":material/casino:",
            on_click=lambda: subject.remember(
                lab, "example", str(random.SystemRandom().randint(1, len(rows)))
            ),
        )
    example = rows[number - 1]
    st.text(example.source)
    return example


def _type_text(lab: str) -> Example | None:
    """A text of one's own; None while it is empty."""
    text = subject.typed(
        lab,
        "text",
        "Text",
        area=True,
        height=90,
        placeholder="Type a text; a pair has || between its two texts",
        help="It is sent as it stands: models that write expect their task's template.",
    )
    return typed_example(text) if text.strip() else None
