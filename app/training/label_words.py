"""Which words stand for a task's labels on the Train page: can the base write them?"""

from __future__ import annotations

import streamlit as st

from app.ui import widgets
from peftcore import paths
from peftcore.data.label_words import LONGEST_WORD, check_words
from peftcore.data.task import Task
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.models.catalog import BaseInfo
from peftcore.training import label_check
from peftcore.training.label_check import LabelCheck


def pick_words(task: Task, base: BaseInfo) -> dict[str, str]:
    """Say how the base writes the labels, and offer other words; label → word where it is other."""
    if check(task.name, base.name) is None:
        return {}
    key = f"train.words.{task.name}"
    typed = {label: str(st.session_state.get(f"{key}.{label}", "")) for label in task.labels}
    given = {label: word.strip() for label, word in typed.items() if word.strip()}
    try:
        words = check_words(task.labels, given)
        problem = ""
    except BadInput as error:
        words, problem = {}, str(error)
    found = check(task.name, base.name, tuple(words.items()))
    assert found is not None, "the base writes labels"
    with st.container(horizontal=True, vertical_alignment="center"):
        if problem:
            st.error(widgets.escape_markdown(problem), icon=":material/error:")
        elif found.is_fair:
            st.caption(widgets.escape_markdown(found.in_words()))
        else:
            st.warning(widgets.escape_markdown(found.in_words()), icon=":material/spellcheck:")
        with st.popover("Words for the labels", icon=":material/translate:"):
            _offer(found, key)
            for label in task.labels:
                st.text_input(
                    f"For {label}",
                    key=f"{key}.{label}",
                    placeholder=label,
                    max_chars=LONGEST_WORD,
                )
            st.caption(
                "Read and written in place of the labels; data, scores and answers keep the labels."
            )
    if problem:
        st.stop()
    return words


@st.cache_data(max_entries=128, ttl=600, show_spinner=False)
def _check(
    task: str, base: str, words: tuple[tuple[str, str], ...], home: str, folder: str
) -> LabelCheck | None:
    """Check once for a base and a task; the folders tell those of one name apart."""
    return label_check.check_labels(base, task, dict(words))


def check(task: str, base: str, words: tuple[tuple[str, str], ...] = ()) -> LabelCheck | None:
    """Return how a base writes a task's labels; None where it writes none."""
    folder = catalog.base_folders().get(base, "")
    return _check(task, base, words, str(paths.workspace_folder()), str(folder))


def _offer(found: LabelCheck, key: str) -> None:
    """Buttons that fill in words which the base can write."""
    for number, words in enumerate(found.offered):
        st.button(
            widgets.escape_markdown(" / ".join(each.word for each in words)),
            key=f"{key}.offered.{number}",
            on_click=_fill,
            args=(key, {each.label: each.word for each in words}),
        )


def _fill(key: str, words: dict[str, str]) -> None:
    for label, word in words.items():
        st.session_state[f"{key}.{label}"] = word
