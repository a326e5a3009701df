"""What the Playground asks: which adapters, which text, and everybody's answer to it.

Answers are computed through `app.state.cache` only after the question was sent, so nothing heavy is
imported for the page itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import streamlit as st

from app.state import cache, heavy_imports, run_catalog
from app.state.run_catalog import suggest_runs, task_title
from app.theme import NEUTRAL, RunStyle
from app.ui import answer_html, widgets
from app.ui.run_styles import styles_by_run
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

PAIR_SEPARATOR = " || "  # how a pair of texts is typed for an encoder
MAX_SHOWN_CHARACTERS = 600  # characters of a text that stand above its answers


@dataclass(frozen=True)
class PlaygroundQuestion:
    """What was sent, to whom; `example` if the text is one of a task and was not changed."""

    text: str
    runs: tuple[str, ...]
    seed: int
    with_base: bool
    example: Example | None

    def text_for(self, base: str) -> str:
        """The text as a base reads it: encoders get an example's texts without the template."""
        if self.example and self.example.parts and catalog.describe_base(base).kind == "encoder":
            return PAIR_SEPARATOR.join(self.example.parts)
        return self.text


def pick_adapters(runs: Sequence[Run], requested: Sequence[Run]) -> list[Run]:
    """A choice among all finished runs, of any base and task, kept in the address."""
    styles, runs_by_id = styles_by_run(runs), {run.id: run for run in runs}
    chosen = st.multiselect(
        "Adapters",
        list(runs_by_id),
        default=[run.id for run in requested or suggest_runs(runs)],
        format_func=lambda run: styles[run].name,
        key="playground.runs",
        on_change=_write_url,
        placeholder="Choose one or more",
    )
    return [runs_by_id[run] for run in chosen]


def _write_url() -> None:
    st.query_params["runs"] = ",".join(st.session_state["playground.runs"])


def write_text(runs: Sequence[Run]) -> str:
    """The text to send: typed, or an example of one of the runs' tasks."""
    names = list(dict.fromkeys(run.spec.task for run in runs))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task: str = st.selectbox(
            "Examples of",
            names,
            format_func=task_title,
            key=f"playground.task.{'.'.join(names)}",
        )
        st.button(
            "Take an example",
            key="playground.example",
            icon=":material/casino:",
            on_click=_take_example,
            args=(task,),
        )
    if problem := st.session_state.pop("playground.problem", ""):
        st.warning(problem, icon=":material/database_off:")
    if task_words := run_catalog.task_in_words(task):
        st.caption(widgets.escape_markdown(task_words))
    return st.text_area(
        "Text",
        key="playground.text",
        height=120,
        placeholder="Type a text, or take an example",
        help="It is sent as it stands, so keep a task's template if you want its answer. "
        "Encoders read a pair of texts with || between them.",
        persist_state="session",
    )


def _take_example(task: str) -> None:
    """Another example of the task's test split, never the same twice in a row."""
    rows = cache.split_examples(task, "test")
    if rows.problem or not rows.examples:
        st.session_state["playground.problem"] = rows.problem or "This task has no test examples."
        return
    last = st.session_state.get("playground.taken")
    others = [example for example in rows.examples if example != last] or list(rows.examples)
    example = random.SystemRandom().choice(others)
    st.session_state["playground.taken"] = example
    st.session_state["playground.text"] = example.source


def question_form(text: str, runs: Sequence[Run]) -> PlaygroundQuestion | None:
    """The question that was sent last, kept until another one is; None before the first."""
    seeds = min(run.spec.population.seeds for run in runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.selectbox("Seed of each run", range(seeds), key="playground.seed", width=160)
        with_base = st.toggle("Ask the untouched base, too", value=True, key="playground.base")
        pressed = st.button("Answer", type="primary", key="playground.send", icon=":material/send:")
    if pressed and not text.strip():
        st.warning("There is nothing to answer yet: type a text or take an example.")
    elif pressed:
        taken_example: Example | None = st.session_state.get("playground.taken")
        example = taken_example if taken_example and taken_example.source == text else None
        ids = tuple(run.id for run in runs)
        st.session_state["playground.question"] = PlaygroundQuestion(
            text, ids, seed, with_base, example
        )
    return st.session_state.get("playground.question")


def show(question: PlaygroundQuestion, runs: Sequence[Run]) -> None:
    """Everybody's answer, each as soon as it is there."""
    asked_runs = [run for run in runs if run.id in question.runs]
    gold = [question.example.target] if question.example else []
    placeholder, cells = st.empty(), list[answer_html.AnswerCell]()
    st.html(answer_html.STYLE)
    wait = "Answering…" if cache.imports_ready() else "Loading the models, once, then answering…"
    with st.spinner(wait, show_time=True):
        for cell in _answers(question, asked_runs):
            cells.append(cell)
            placeholder.html(answer_html.example_card(_truncate(question.text), gold, cells, None))
    if gold:
        st.caption("Underlined words are not in the reference, struck words are missing.")


def _truncate(text: str) -> str:
    """A text that is not so long that it pushes the answers off the screen."""
    return (
        text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS].rstrip()} …"
    )


def _answers(question: PlaygroundQuestion, runs: Sequence[Run]) -> Iterator[answer_html.AnswerCell]:
    """The bases' answers, then the adapters'; what cannot answer says why."""
    heavy_imports.import_all()
    if question.with_base:
        for base in dict.fromkeys(run.spec.base for run in runs):
            style = RunStyle(f"{base}, untouched", NEUTRAL)
            try:
                answer_text = cache.base_answer(base, question.text_for(base))
            except BadInput as error:
                yield answer_html.AnswerCell(style, note=str(error))
            else:
                yield answer_html.AnswerCell(style, answer_text)
    styles = styles_by_run(runs)
    for run in runs:
        try:
            answer_text = cache.adapter_answer(run, question.text_for(run.spec.base), question.seed)
        except BadInput as error:
            yield answer_html.AnswerCell(styles[run.id], note=str(error))
        else:
            yield answer_html.AnswerCell(styles[run.id], answer_text)
