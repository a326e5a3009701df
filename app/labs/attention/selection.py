"""What the Attention page looks at: which models, which input, and what their decoders read.

The choice of the run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from app.figures.theme import NEUTRAL
from app.state import cache, run_catalog, wait_for_imports
from app.ui import frame, pickers, run_styles, text_choice, widgets
from app.ui.subject import Choice, typed
from peftcore.adapters.base import METHODS
from peftcore.analysis.attention import AttentionPattern, HeadStatistics
from peftcore.data.task import Example
from peftcore.labs.attention import first_pictures
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from peftcore.models.architectures import ModelKind

LAB = "attention"
BASE_PREFIX = "base:"  # marks an untouched base among the ids of runs
NO_MODEL = "nothing"
GOLD_TARGET, AFTER_ANSWER, BEFORE_ANSWER, OWN_TEXT = (
    "The gold target",
    "Its own answer",
    "The other's answer",
    "My own text",
)
MAX_REMEMBERED = 8  # data sets a session remembers the numbers of


@dataclass(frozen=True)
class AttentionSubject:
    """A model to look into: a run, or a base without adapter."""

    name: str
    base: str
    run: Run | None = None
    colour: str = NEUTRAL

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
        """Return the attention of its heads; a subject with fewer seeds shows its last.

        Before torch is in memory it is what ships of it; NotRecorded if nothing does.
        """
        seed = min(seed, self.seeds - 1)
        if wait_for_imports.is_waiting(LAB):
            found = first_pictures.find(self.run, self.base, example, seed)
            if found is None:
                raise wait_for_imports.NotRecorded
            return dict(found.patterns)
        return cache.attention_pattern(self.run, self.base, example, seed)

    def value_weights(self, example: Example, seed: int) -> dict[str, AttentionPattern]:
        """Return shares of what each key adds instead; NotRecorded before torch is in memory."""
        if wait_for_imports.is_waiting(LAB):
            raise wait_for_imports.NotRecorded
        return cache.value_weights(self.run, self.base, example, min(seed, self.seeds - 1))


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
        run.id: AttentionSubject(
            _subject_title(styles[run.id].name, run), run.spec.base, run, styles[run.id].colour
        )
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
    bar: DeltaGenerator, subjects: dict[str, AttentionSubject]
) -> tuple[AttentionSubject, AttentionSubject | None]:
    """The model to look into, and the one to compare it with."""
    names = {name: subject.name for name, subject in subjects.items()}
    run = Choice(
        LAB,
        "run",
        "Model",
        list(subjects),
        first=_default_subject(subjects),
        option_text=names.__getitem__,
        missing=pickers.why_run_missing("it needs a base model of this machine"),
    )
    after = run.settle()
    base = subjects[after].base
    same_base = [name for name, other in subjects.items() if other.base == base and name != after]
    same_base.sort(key=lambda name: not name.startswith(BASE_PREFIX))  # the untouched base first
    before_options = [*same_base, NO_MODEL] if subjects[after].run else [NO_MODEL, *same_base]
    against = Choice(
        LAB,
        "with",
        "Compare with",
        before_options,
        option_text=lambda name: f"vs {names.get(name, name)}",
    )
    with bar:
        run.as_list(label_visibility="collapsed", width=185)
        before = against.as_list(label_visibility="collapsed", width=150)
    frame.run_colour(run.key, subjects[after].colour)
    return subjects[after], subjects.get(before)


def pick_seed(bar: DeltaGenerator, after: AttentionSubject, before: AttentionSubject | None) -> int:
    """The seed, by its place among those of the run that has most."""
    most_seeds = max(after, before or after, key=lambda subject: subject.seeds)
    numbers = [most_seeds.seed_number(index) for index in range(most_seeds.seeds)]
    seed = Choice(LAB, "seed", "Seed", numbers, option_text=lambda number: f"Seed {number}")
    with bar:
        return numbers.index(seed.as_list(label_visibility="collapsed", width=86))


def _default_subject(subjects: dict[str, AttentionSubject]) -> str:
    """A plain prefix, best on entailment, else whatever comes first."""
    prefixes = [
        ((subject.run.spec.task != "miniworld_nli", subject.run.spec.population.vertices), name)
        for name, subject in subjects.items()
        if subject.run and subject.run.spec.method == "prefix_tuning"
    ]
    return min(prefixes, key=lambda pair: pair[0])[1] if prefixes else next(iter(subjects))


def pick_input(
    bar: DeltaGenerator, after: AttentionSubject, before: AttentionSubject | None
) -> AttentionComparison | None:
    """Offer a text, a seed, and what decoders read after the text; None while there is no text."""
    names = [task.name for task in cache.list_tasks() if task.available()]
    first_task = after.run.spec.task if after.run else names[0]
    reads = ""

    def pick_reading() -> None:
        nonlocal reads
        reads = _pick_reading(after, before)

    task, example = text_choice.pick_text(LAB, bar, first_task, pick_reading)
    seed = pick_seed(bar, after, before)
    if example is None:
        return None
    return AttentionComparison(after, before, seed, task, example, reads)


def _pick_reading(after: AttentionSubject, before: AttentionSubject | None) -> str:
    """Offer what decoders read: the gold target, an answer, or a text of one's own."""
    if catalog.describe_base(after.base).kind == "encoder":
        return ""
    choices = [GOLD_TARGET, AFTER_ANSWER, *([BEFORE_ANSWER] if before else []), OWN_TEXT]
    reads = Choice(LAB, "reads", "The decoder reads", choices).as_list(
        help="Both models read the same, else their patterns could not be compared."
    )
    if reads == OWN_TEXT:
        typed(LAB, "answer", "What the decoder reads")
    return reads


def with_decoder_text(comparison: AttentionComparison) -> AttentionComparison:
    """The question with what decoders read settled, as it was chosen."""
    source = comparison.decoder_source
    if not source:
        return comparison
    example = comparison.example
    if source == GOLD_TARGET and not example.target:  # a typed text has none
        source = AFTER_ANSWER
    if source == GOLD_TARGET:
        return replace(comparison, decoder_source="the gold target")
    if source != OWN_TEXT and wait_for_imports.is_waiting(LAB):
        raise wait_for_imports.NotRecorded  # an answer would have to be written
    if source == OWN_TEXT:
        text, words = st.session_state.get(f"{LAB}.answer", ""), "a text of your own"
    else:
        from peftcore.labs.attention import capture

        use_after = source == AFTER_ANSWER or not comparison.before
        answerer = comparison.after if use_after else comparison.before
        assert answerer is not None
        blank_example = replace(example, target="")
        capture.check_length(
            cache.base_model(answerer.base), blank_example
        )  # before it is answered
        text = cache.greedy_answer(
            answerer.run, answerer.base, blank_example, min(comparison.seed, answerer.seeds - 1)
        )
        words = f"the greedy answer of {answerer.name}"
    return replace(comparison, example=replace(example, target=text), decoder_source=words)


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
