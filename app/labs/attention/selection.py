"""What the Attention page looks at: which models, which input, and what their decoders read.

The choice of the run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from app.compare import selection
from app.state import cache
from app.ui import run_styles, url_state, widgets
from peftcore.analysis.attention import AttentionPattern, HeadStatistics
from peftcore.data.task import Example
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.models.architectures import ModelKind

BASE = "base:"  # marks an untouched base among the ids of runs
NOTHING = ""
GOLD, AFTER, BEFORE, OWN = "The gold target", "Its own answer", "The other's answer", "My own text"
SHOWN_TEXT = 200
MEASURED = 8  # data sets a session remembers the numbers of


@dataclass(frozen=True)
class Subject:
    """A model to look into: a run, or a base without adapter."""

    name: str
    base: str
    run: Run | None = None

    @property
    def run_id(self) -> str | None:
        """The run's id; None for an untouched base."""
        return self.run.id if self.run else None

    @property
    def seeds(self) -> int:
        """How many seeds it has."""
        return self.run.spec.population.seeds if self.run else 1

    def number(self, seed: int) -> str:
        """The number under which a seed was trained, given its place in the run."""
        return str(self.run.spec.population.seed_numbers()[seed] if self.run else seed)

    def seen(self, example: Example, seed: int) -> dict[str, AttentionPattern]:
        """What its heads look at; a subject with fewer seeds shows its last."""
        return cache.attention_pattern(self.run_id, self.base, example, min(seed, self.seeds - 1))


@dataclass(frozen=True)
class Question:
    """Whose attention, on what; the example's target is what decoders read."""

    after: Subject
    before: Subject | None
    seed: int
    task: str
    example: Example
    reads: str  # what the decoder's text is, in words; empty for encoders

    @property
    def kind(self) -> ModelKind:
        """Encoder, decoder or encoder-decoder."""
        return catalog.describe_base(self.after.base).kind


def subjects() -> dict[str, Subject]:
    """Every finished run on a base at hand, then every base; by id."""
    known = {info.name for info in cache.list_bases()}
    runs = [run for run in selection.finished_runs() if run.spec.base in known]
    names = run_styles.styles_by_run(runs)
    found = {run.id: Subject(_named(names[run.id].name, run), run.spec.base, run) for run in runs}
    return found | {f"{BASE}{name}": Subject(f"{name}, untouched", name) for name in sorted(known)}


def _named(name: str, run: Run) -> str:
    """A run's name with what it was trained for, unless its name says so already."""
    task = selection.task_title(run.spec.task)
    extra = [part for part in (task, run.spec.base) if part not in name and run.spec.task]
    return " · ".join([name.replace(f" · {run.spec.task}", ""), *extra])


def pick_subjects(known: dict[str, Subject]) -> tuple[Subject, Subject | None, int]:
    """The model to look into, the one to compare it with, and the seed."""
    names = {name: one.name for name, one in known.items()}
    change = url_state.sync_with_url(
        "Model",
        "attention.run",
        list(known),
        name="run",
        format_option=names.__getitem__,
        first=_first(known),
        missing=url_state.why_run_missing("finished runs on a base at hand can be looked into"),
    )
    left, right, last = st.columns([3, 3, 1], vertical_alignment="bottom")
    after = left.selectbox(
        "Model", list(known), format_func=names.__getitem__, key="attention.run", on_change=change
    )
    same = [name for name, one in known.items() if one.base == known[after].base and name != after]
    same.sort(key=lambda name: not name.startswith(BASE))  # the untouched base comes first
    choices = [*same, NOTHING] if known[after].run else [NOTHING, *same]
    before = right.selectbox(
        "Compare with",
        choices,
        format_func=lambda name: known[name].name if name else "Nothing",
        key=f"attention.against.{after}",
        help="Models on the same base, which read the same tokens.",
    )
    other = known[before] if before else None
    seeds = max(known[after].seeds, other.seeds if other else 1)
    longer = max(known[after], other or known[after], key=lambda one: one.seeds)
    seed = last.selectbox(
        "Seed", range(seeds), format_func=longer.number, key=f"attention.seed.{seeds}"
    )
    return known[after], other, seed


def _first(known: dict[str, Subject]) -> str:
    """A plain prefix, best on entailment, else whatever comes first."""
    prefixes = [
        ((one.run.spec.task != "miniworld_nli", one.run.spec.population.vertices), name)
        for name, one in known.items()
        if one.run and one.run.spec.method == "prefix_tuning"
    ]
    return min(prefixes, key=lambda pair: pair[0])[1] if prefixes else next(iter(known))


def pick_input(after: Subject) -> tuple[str, Example] | None:
    """The task whose examples are at hand, and the text to read: one of them, or typed."""
    names = [task.name for task in cache.list_tasks() if cache.has_local_data(task.name)]
    own = after.run.spec.task if after.run else names[0]
    names = [own, *(name for name in names if name != own)]
    left, right = st.columns([1, 2])
    with left:
        source = st.segmented_control(
            "Input",
            ["An example", "My own text"],
            default="An example",
            required=True,
            key="attention.source",
        )
        task: str = st.selectbox(
            "Examples of", names, format_func=selection.task_title, key=f"attention.task.{own}"
        )
    rows = cache.split_examples(task, "test")
    with right:
        if source == "My own text":
            return _typed(task)
        if rows.problem or not rows.examples:
            st.warning(widgets.escape_markdown(rows.problem or "This task has no test examples."))
            return None
        return task, _example(task, rows.examples)


def _example(task: str, rows: Sequence[Example]) -> Example:
    """One of the examples, by number or by chance."""
    key = f"attention.example.{task}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(f"Example, 1 to {len(rows):,}", 1, len(rows), key=key, width=200)
        st.button(
            "Another",
            key="attention.another",
            icon=":material/casino:",
            on_click=_another,
            args=(key, len(rows)),
        )
    chosen = rows[number - 1]
    st.text(chosen.source)
    return chosen


def _another(key: str, most: int) -> None:
    st.session_state[key] = random.SystemRandom().randint(1, most)


def _typed(task: str) -> tuple[str, Example] | None:
    from peftcore.training.predict import typed_example

    text = st.text_area(
        "Text",
        key="attention.text",
        height=90,
        placeholder="Type a text; a pair has || between its two texts",
        help="It is sent as it stands: models that write expect their task's template.",
        persist_state="session",
    )
    if not text.strip():
        st.caption("Type a text, and every head shows what it looks at.")
        return None
    return task, typed_example(text)


def decoder_text(question: Question) -> Question:
    """The question with what decoders read settled: gold, an answer, or a text of one's own."""
    if question.kind == "encoder":
        return question
    choices = [GOLD] if question.example.target else []
    choices += [AFTER, *([BEFORE] if question.before else []), OWN]
    reads = st.segmented_control(
        "The decoder reads",
        choices,
        default=choices[0],
        required=True,
        key=f"attention.reads.{len(choices)}.{choices[0]}",
        help="Both models read the same, else their patterns could not be compared.",
    )
    if reads == GOLD:
        said, words = question.example.target, "the gold target"
    elif reads == OWN:
        said = st.text_input("What the decoder reads", key="attention.target")
        words = "a text of your own"
    else:
        who = question.after if reads == AFTER or not question.before else question.before
        asked = replace(question.example, target="")
        said = cache.greedy_answer(who.run_id, who.base, asked, min(question.seed, who.seeds - 1))
        words = f"the greedy answer of {who.name}"
    st.caption(
        f"The decoder reads {widgets.escape_markdown(words)}: "
        f"“{widgets.escape_markdown(said[:SHOWN_TEXT])}”"
    )
    return replace(question, example=replace(question.example, target=said), reads=words)


def measured(
    subject: Subject, task: str, count: int, examples: Sequence[Example], again: bool
) -> dict[str, HeadStatistics] | None:
    """Heads of a subject over test examples; None until they are asked for with `again`."""
    shelf: dict[tuple[object, ...], dict[str, HeadStatistics]]
    shelf = st.session_state.setdefault("attention.measured", {})
    key = (subject.run_id, subject.base, task, count)
    if key not in shelf and again:
        from peftcore.labs.attention import capture

        words = f"Reading {count} examples with {widgets.escape_markdown(subject.name)}"
        bar = st.progress(0.0, words)

        def tell(done: int, of: int) -> None:
            bar.progress(done / of, f"{words}: {done} of {of}")

        worn = cache.adapted_or_untouched(subject.run_id, subject.base)
        shelf[key] = capture.head_statistics(worn, examples[:count], tell)
        bar.empty()
        while len(shelf) > MEASURED:
            del shelf[next(iter(shelf))]
    return shelf.get(key)
