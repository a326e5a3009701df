"""What the Playground asks: which adapters, which text, and everybody's answer to it.

Answers are computed through `app.state.cache` only after the question was sent, so nothing heavy is
imported for the page itself.  While one is written the page is drawn at every other moment, which
is when Stop, or any other click, takes effect.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.figures.theme import NEUTRAL, RunStyle
from app.state import cache, heavy_imports, run_catalog
from app.state.run_catalog import suggest_runs, task_title
from app.ui import answer_html, widgets
from app.ui.run_styles import styles_by_run
from peftcore.data.fill_template import find_template
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

PAIR_SEPARATOR = " || "  # how a pair of texts is typed for an encoder
MAX_SHOWN_CHARACTERS = 600  # characters of a text that stand above its answers
MAX_TYPED_CHARACTERS = 20_000  # more is no text to play with, and is not even read into tokens
MOST_KEPT = 30  # questions of a session
HISTORY = "playground.history"  # in the session: what was asked, the newest first
REDRAW_SECONDS = 0.5


@dataclass(frozen=True)
class PlaygroundQuestion:
    """What was sent, to whom; `example` if the text is one of a task and was not changed.

    parts: the texts without the template, where it was filled in by fields.
    """

    text: str
    runs: tuple[str, ...]
    seed: int
    with_base: bool
    example: Example | None
    parts: tuple[str, ...] = ()

    def text_for(self, base: str) -> str:
        """The text as a base reads it: encoders get an example's texts without the template."""
        parts = self.example.parts if self.example else self.parts
        if parts and catalog.describe_base(base).kind == "encoder":
            return PAIR_SEPARATOR.join(parts)
        return self.text


@dataclass
class AskedQuestion:
    """A question of the session with the answers that are there; `stopped` if no more will come."""

    question: PlaygroundQuestion
    cells: dict[str, answer_html.AnswerCell] = field(default_factory=dict)  # by run or base
    stopped: bool = False

    @property
    def gold(self) -> list[str]:
        """The reference, where the text is an example."""
        return [self.question.example.target] if self.question.example else []


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


def _tasks_of(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.spec.task for run in runs))


def _task_key(names: Sequence[str]) -> str:
    return f"playground.task.{'.'.join(names)}"


def chosen_task(runs: Sequence[Run]) -> str:
    """Return the task whose examples are offered, as it was chosen when the page was last drawn."""
    names = _tasks_of(runs)
    return str(st.session_state.get(_task_key(names), names[0]))


def begin_with(task: str, example: str) -> None:
    """Put a test example into a text that nobody has touched, so that there is one to change."""
    begun = st.session_state.get("playground.begun")
    touched = st.session_state.get("playground.text", begun) != begun
    if touched or st.session_state.get("playground.by_fields"):
        return
    rows = cache.split_examples(task, "test").examples
    found = next((row for row in rows if row.id == example), None)
    if found is not None and found.source != begun:
        _fill_in(task, found)
        st.session_state["playground.begun"] = found.source


def write_text(runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
    """Offer the text to send: typed, an example, or a template filled in; with its parts if so."""
    names = _tasks_of(runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task: str = st.selectbox("Examples of", names, format_func=task_title, key=_task_key(names))
        st.button(
            "Take an example",
            key="playground.example",
            icon=":material/casino:",
            on_click=_take_example,
            args=(task,),
        )
        by_fields = st.toggle(
            "By fields",
            key="playground.by_fields",
            help="Fill in the texts; the task's template is put around them",
        )
    if problem := st.session_state.pop("playground.problem", ""):
        st.warning(problem, icon=":material/database_off:")
    if task_words := run_catalog.task_in_words(task):
        st.caption(widgets.escape_markdown(task_words))
    if by_fields and (found := _write_fields(task)):
        return found
    text = st.text_area(
        "Text",
        key="playground.text",
        height=120,
        max_chars=MAX_TYPED_CHARACTERS,
        placeholder="Type a text, or take an example",
        help="It is sent as it stands, so keep a task's template if you want its answer. "
        "Encoders read a pair of texts with || between them.",
        persist_state="session",
    )
    return text, ()


def _write_fields(task: str) -> tuple[str, tuple[str, ...]] | None:
    """Offer a field for each text of a task; None, with the reason shown, if it has no template."""
    template = find_template(cache.split_examples(task, "test").examples)
    if template is None:
        st.caption("The texts of this task stand in no template that can be filled in by fields.")
        return None
    texts = [
        st.text_area(name, key=f"playground.field.{task}.{part}", height=80, max_chars=4000)
        for name, part in zip(template.names(), template.parts, strict=True)
    ]
    filled = template.fill(texts)
    with st.expander("The text that is sent", icon=":material/notes:"):
        st.code(filled, language=None, wrap_lines=True)
    if not any(text.strip() for text in texts):
        return "", ()
    return filled, tuple(template.in_order_of_parts(texts))


def _take_example(task: str) -> None:
    """Take another example of the task's test split, never the same twice in a row."""
    rows = cache.split_examples(task, "test")
    if rows.problem or not rows.examples:
        st.session_state["playground.problem"] = rows.problem or "This task has no test examples."
        return
    last = st.session_state.get("playground.taken")
    others = [example for example in rows.examples if example != last] or list(rows.examples)
    _fill_in(task, random.SystemRandom().choice(others))


def _fill_in(task: str, example: Example) -> None:
    """Put an example into the text and into the fields of its parts."""
    st.session_state["playground.taken"] = example
    st.session_state["playground.text"] = example.source
    for number, part in enumerate(example.parts):
        st.session_state[f"playground.field.{task}.{number}"] = part


def question_form(text: str, runs: Sequence[Run], parts: tuple[str, ...] = ()) -> None:
    """Offer to send the text; what is sent becomes the first of the session's questions."""
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
        question = PlaygroundQuestion(text, ids, seed, with_base, example, parts)
        st.session_state[HISTORY] = [AskedQuestion(question), *asked_questions()][:MOST_KEPT]


def asked_questions() -> list[AskedQuestion]:
    """Return what was asked in this session, the newest first."""
    found: list[AskedQuestion] = st.session_state.get(HISTORY, [])
    return found


def show(runs: Sequence[Run]) -> None:
    """Show the newest question with everybody's answer, each as soon as it is there."""
    newest, *earlier = asked_questions()
    st.html(answer_html.STYLE)
    place = st.empty()
    _draw_card(place, newest)
    _answer_the_rest(newest, runs, place)
    if newest.stopped:
        st.caption("Stopped; what had been answered by then stays.")
    if newest.gold:
        st.caption("Underlined words are not in the reference, struck words are missing.")
    if earlier:
        with st.expander(f"Asked before ({len(earlier)})", icon=":material/history:"):
            for each in earlier:
                _draw_card(st.empty(), each)
            st.button("Forget them", key="playground.forget", on_click=_forget)


def _forget() -> None:
    st.session_state[HISTORY] = asked_questions()[:1]


def _draw_card(place: DeltaGenerator, asked: AskedQuestion) -> None:
    """Draw a question and the answers that are there."""
    if not asked.cells and asked.stopped:
        place.caption(widgets.escape_markdown(_truncate(asked.question.text)))
        return
    card = answer_html.example_card(
        _truncate(asked.question.text), asked.gold, list(asked.cells.values()), None
    )
    place.html(card)


def _answer_the_rest(asked: AskedQuestion, runs: Sequence[Run], place: DeltaGenerator) -> None:
    """Ask whoever has not answered yet, with a Stop button for as long as that takes."""
    chosen = [run for run in runs if run.id in asked.question.runs]
    styles = styles_by_run(chosen)
    waiting = [name for name in _whom_to_ask(asked.question, chosen) if name not in asked.cells]
    if asked.stopped or not waiting:
        return
    by_id = {run.id: run for run in chosen}
    controls = st.empty()
    with controls.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", icon=":material/stop_circle:", key="playground.stop", on_click=_stop)
        progress = st.empty()
    if not cache.imports_ready():
        progress.caption("Loading the models, once…")
    heavy_imports.import_all()
    for name in waiting:
        run = by_id.get(name)
        style = styles[name] if run else RunStyle(f"{name}, untouched", NEUTRAL)
        asked.cells[name] = _answer(asked.question, run, name, style, progress)
        _draw_card(place, asked)
    controls.empty()


def _stop() -> None:
    for asked in asked_questions()[:1]:
        asked.stopped = True


def _whom_to_ask(question: PlaygroundQuestion, runs: Sequence[Run]) -> list[str]:
    """Return the bases if they are asked, then the runs."""
    bases = list(dict.fromkeys(run.spec.base for run in runs)) if question.with_base else []
    return [*bases, *(run.id for run in runs)]


def _answer(
    question: PlaygroundQuestion,
    run: Run | None,
    base: str,
    style: RunStyle,
    progress: DeltaGenerator,
) -> answer_html.AnswerCell:
    """Return the answer of a run, or of a base; what cannot answer says why."""
    tick = _ticker(f"{style.name} answers", progress)
    try:
        if run is None:
            found = cache.base_answer(base, question.text_for(base), tick)
        else:
            found = cache.adapter_answer(run, question.text_for(run.spec.base), question.seed, tick)
    except BadInput as error:
        return answer_html.AnswerCell(style, note=str(error))
    if found.cut:
        words = f"{found.text} … (cut off: its time had run out)".strip()
        return answer_html.AnswerCell(style, note=words)
    return answer_html.AnswerCell(style, found.text)


def _ticker(words: str, progress: DeltaGenerator) -> Callable[[], None]:
    """Return what is called at every token: it draws at times, which is where a click acts."""
    began = time.monotonic()
    drawn = began - REDRAW_SECONDS

    def tick() -> None:
        """Draw how long it has taken, unless that was a moment ago."""
        nonlocal drawn
        now = time.monotonic()
        if now - drawn >= REDRAW_SECONDS:
            drawn = now
            progress.caption(f"{widgets.escape_markdown(words)}, {now - began:.0f} s")

    tick()
    return tick


def _truncate(text: str) -> str:
    """A text that is not so long that it pushes the answers off the screen."""
    return (
        text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS].rstrip()} …"
    )
