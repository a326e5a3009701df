"""What the Attention page looks at: which models, which input, and what their decoders read.

The choice of the run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from app.state import cache, run_catalog
from app.ui import pickers, run_styles, url_state, widgets
from peftcore.adapters.base import METHODS
from peftcore.analysis.attention import AttentionPattern, HeadStatistics
from peftcore.data.task import Example
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.models.architectures import ModelKind

BASE_PREFIX = "base:"  # marks an untouched base among the ids of runs
NO_MODEL = ""
GOLD_TARGET, AFTER_ANSWER, BEFORE_ANSWER, OWN_TEXT = (
    "The gold target",
    "Its own answer",
    "The other's answer",
    "My own text",
)
MAX_SHOWN_CHARACTERS = 200
MAX_REMEMBERED = 8  # data sets a session remembers the numbers of


@dataclass(frozen=True)
class AttentionSubject:
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
        """Return the number of seeds."""
        return self.run.spec.population.seeds if self.run else 1

    def seed_number(self, seed: int) -> str:
        """The number under which a seed was trained, given its place in the run."""
        return str(self.run.spec.population.seed_numbers()[seed] if self.run else seed)

    def attention_patterns(self, example: Example, seed: int) -> dict[str, AttentionPattern]:
        """Return the attention of its heads; a subject with fewer seeds shows its last."""
        return cache.attention_pattern(self.run, self.base, example, min(seed, self.seeds - 1))


@dataclass(frozen=True)
class AttentionComparison:
    """Whose attention, on what; the example's target is what decoders read."""

    after: AttentionSubject
    before: AttentionSubject | None
    seed: int
    task: str
    example: Example
    decoder_source: str  # what the decoder's text is, in words; empty for encoders

    @property
    def kind(self) -> ModelKind:
        """Encoder, decoder or encoder-decoder."""
        return catalog.describe_base(self.after.base).kind


def subjects_by_id() -> dict[str, AttentionSubject]:
    """Return every finished run with a base here, then every base, by id.

    A method that only changes the text leaves the base's attention to a text as it is.
    """
    base_names = {info.name for info in cache.list_bases()}
    runs = [
        run
        for run in run_catalog.finished_runs()
        if run.spec.base in base_names and METHODS[run.spec.method].trains()
    ]
    styles = run_styles.styles_by_run(runs)
    run_subjects = {
        run.id: AttentionSubject(_subject_title(styles[run.id].name, run), run.spec.base, run)
        for run in runs
    }
    return run_subjects | {
        f"{BASE_PREFIX}{name}": AttentionSubject(f"{name}, untouched", name)
        for name in sorted(base_names)
    }


def _subject_title(name: str, run: Run) -> str:
    """A run's name with what it was trained for, unless its name says so already."""
    task = run_catalog.task_title(run.spec.task)
    additions = [part for part in (task, run.spec.base) if part not in name and run.spec.task]
    return " · ".join([name.replace(f" · {run.spec.task}", ""), *additions])


def pick_subjects(
    subjects: dict[str, AttentionSubject],
) -> tuple[AttentionSubject, AttentionSubject | None, int]:
    """The model to look into, the one to compare it with, and the seed."""
    names = {name: subject.name for name, subject in subjects.items()}
    on_change = url_state.sync_with_url(
        pickers.why_run_missing("it needs a base model of this machine"),
        "attention.run",
        list(subjects),
        name="run",
        format_option=names.__getitem__,
        first=_default_subject(subjects),
    )
    left, right, last = st.columns([3, 3, 1], vertical_alignment="bottom")
    after = left.selectbox(
        "Model",
        list(subjects),
        format_func=names.__getitem__,
        key="attention.run",
        on_change=on_change,
    )
    base = subjects[after].base
    same_base = [name for name, other in subjects.items() if other.base == base and name != after]
    same_base.sort(key=lambda name: not name.startswith(BASE_PREFIX))  # the untouched base first
    before_options = [*same_base, NO_MODEL] if subjects[after].run else [NO_MODEL, *same_base]
    before = right.selectbox(
        "Compare with",
        before_options,
        format_func=lambda name: subjects[name].name if name else "Nothing",
        key=f"attention.against.{after}",
        help="Models on the same base, which read the same tokens.",
    )
    before_subject = subjects[before] if before else None
    seeds = max(subjects[after].seeds, before_subject.seeds if before_subject else 1)
    most_seeds = max(
        subjects[after], before_subject or subjects[after], key=lambda subject: subject.seeds
    )
    seed = last.selectbox(
        "Seed", range(seeds), format_func=most_seeds.seed_number, key=f"attention.seed.{seeds}"
    )
    return subjects[after], before_subject, seed


def _default_subject(subjects: dict[str, AttentionSubject]) -> str:
    """A plain prefix, best on entailment, else whatever comes first."""
    prefixes = [
        ((subject.run.spec.task != "miniworld_nli", subject.run.spec.population.vertices), name)
        for name, subject in subjects.items()
        if subject.run and subject.run.spec.method == "prefix_tuning"
    ]
    return min(prefixes, key=lambda pair: pair[0])[1] if prefixes else next(iter(subjects))


def pick_input(after: AttentionSubject) -> tuple[str, Example] | None:
    """Offer a task's examples and typed text; return the task's name and the text to read."""
    names = [task.name for task in cache.list_tasks() if task.available()]
    first_task = after.run.spec.task if after.run else names[0]
    names = [first_task, *(name for name in names if name != first_task)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = pickers.pick_one("Input", ["An example", "My own text"], "attention.source")
        task: str = st.selectbox(
            "Examples of",
            names,
            format_func=run_catalog.task_title,
            key=f"attention.task.{first_task}",
            width=250,
        )
        rows = cache.split_examples(task, "test")
        example = None
        if source == "An example" and rows.examples and not rows.problem:
            example = _pick_example(task, rows.examples)
    if source == "My own text":
        return _type_example(task)
    if example is None:
        st.warning(widgets.escape_markdown(rows.problem or "This task has no test examples."))
        return None
    st.text(example.source)
    return task, example


def _pick_example(task: str, rows: Sequence[Example]) -> Example:
    """One of the examples, by number or by chance."""
    key = f"attention.example.{task}"
    number = st.number_input(f"Example, 1 to {len(rows):,}", 1, len(rows), key=key, width=180)
    st.button(
        "Another",
        key="attention.another",
        icon=":material/casino:",
        on_click=_pick_random_example,
        args=(key, len(rows)),
    )
    return rows[number - 1]


def _pick_random_example(key: str, example_count: int) -> None:
    st.session_state[key] = random.SystemRandom().randint(1, example_count)


def _type_example(task: str) -> tuple[str, Example] | None:
    """Offer a text of one's own; None while it is empty."""
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


def pick_decoder_text(comparison: AttentionComparison) -> AttentionComparison:
    """The question with what decoders read settled: gold, an answer, or a text of one's own."""
    if comparison.kind == "encoder":
        return comparison
    from peftcore.labs.attention import capture

    choices = [GOLD_TARGET] if comparison.example.target else []
    choices += [AFTER_ANSWER, *([BEFORE_ANSWER] if comparison.before else []), OWN_TEXT]
    source = pickers.pick_one(
        "The decoder reads",
        choices,
        f"attention.reads.{len(choices)}.{choices[0]}",
        help="Both models read the same, else their patterns could not be compared.",
    )
    if source == GOLD_TARGET:
        text, source_words = comparison.example.target, "the gold target"
    elif source == OWN_TEXT:
        text = st.text_input("What the decoder reads", key="attention.target")
        source_words = "a text of your own"
    else:
        answerer = (
            comparison.after
            if source == AFTER_ANSWER or not comparison.before
            else comparison.before
        )
        blank_example = replace(comparison.example, target="")
        capture.check_length(
            cache.base_model(answerer.base), blank_example
        )  # before it is answered
        text = cache.greedy_answer(
            answerer.run, answerer.base, blank_example, min(comparison.seed, answerer.seeds - 1)
        )
        source_words = f"the greedy answer of {answerer.name}"
    st.caption(
        f"The decoder reads {widgets.escape_markdown(source_words)}: "
        f"“{widgets.escape_markdown(text[:MAX_SHOWN_CHARACTERS])}”"
    )
    return replace(
        comparison, example=replace(comparison.example, target=text), decoder_source=source_words
    )


def with_short_example(comparison: AttentionComparison) -> AttentionComparison | None:
    """The same question about the task's shortest test example; None where it has none."""
    examples = cache.split_examples(comparison.task, "test").examples
    if not examples:
        return None
    shortest = min(examples, key=lambda each: len(each.source) + len(each.target))
    return replace(comparison, example=shortest, decoder_source="the gold target")


def head_statistics(
    subject: AttentionSubject, task: str, count: int, examples: Sequence[Example], measure_now: bool
) -> dict[str, HeadStatistics] | None:
    """Heads of a subject over test examples; None until they are asked for with `again`."""
    remembered: dict[tuple[object, ...], dict[str, HeadStatistics]]
    remembered = st.session_state.setdefault("attention.measured", {})
    key = (subject.run_id, subject.base, task, count)
    if key not in remembered and measure_now:
        from peftcore.labs.attention import capture

        words = f"Reading {count} examples with {widgets.escape_markdown(subject.name)}"
        bar = st.progress(0.0, words)

        def report(done: int, total: int) -> None:
            bar.progress(done / total, f"{words}: {done} of {total}")

        model = cache.adapted_or_untouched(subject.run, subject.base)
        remembered[key] = capture.head_statistics(model, examples[:count], report)
        bar.empty()
        while len(remembered) > MAX_REMEMBERED:
            del remembered[next(iter(remembered))]
    return remembered.get(key)
