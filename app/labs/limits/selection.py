"""What the Limits page looks at: run, run beside it, text, layer, head, and the switches.

The run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from app.compare import selection
from app.labs.limits import cache as limits_cache
from app.labs.limits.views import PLACES, Shown, shown_head
from app.state import cache
from app.ui import run_styles, url_state, widgets
from peftcore.data.task import Example
from peftcore.models import catalog
from peftcore.runs.store import Run

T = TypeVar("T")
FEW = 12  # choices up to this many stand side by side
ALONE, WHOLE = "This layer alone", "Whole stack"
CONTROLLED, NAIVE = "Controlled", "Naive"
EXPLAINED = {
    ALONE: "Only this layer wears the adapter, so its inputs are the base's. "
    "Here the theory is exact.",
    WHOLE: "Every layer wears the adapter. From the second one on inputs differ, and so do "
    "patterns: effects compound.",
    CONTROLLED: "Content keeps its positions in both passes, as the theory demands.",
    NAIVE: "The prefix moves the content to later positions, as it does where a prefix is passed "
    "off as earlier tokens. On models with learned absolute positions this changes the inputs and "
    "seems to refute the theory.",
}


def pick_runs(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """The run in question and one to hold against it."""
    known = {run.id: run for run in runs}
    words = {name: _named(run) for name, run in known.items()}
    change = url_state.follow(
        "Run",
        "limits.run",
        list(known),
        name="run",
        words=words.__getitem__,
        missing=url_state.no_run("finished runs that work inside attention layers can be measured"),
    )
    left, right = st.columns(2)
    chosen = left.selectbox(
        "Run", list(known), format_func=words.__getitem__, key="limits.run", on_change=change
    )
    others = {run.id: run for run in limits_cache.beside(known[chosen], runs)}
    beside = right.selectbox(
        "Beside it",
        [*others, ""],
        format_func=lambda name: _named(others[name]) if name else "Nothing",
        key=f"limits.beside.{chosen}",
        help="Another method on the same base, such as LoRA, which can reorder attention.",
    )
    return known[chosen], others.get(beside)


def _named(run: Run) -> str:
    return f"{run_styles.title(run.spec.method)} · {selection.task_title(run.spec.task)} · {run.id}"


def pick_text(run: Run) -> Example | None:
    """A test example of the run's task, or a text and what the decoder reads after it."""
    task = run.spec.task
    rows = cache.rows(task, "test")
    most = len(rows.examples)
    with st.container(horizontal=True):
        source = st.segmented_control(
            "Input",
            ["An example", "My own text"],
            default="An example",
            required=True,
            key="limits.source",
        )
        number = 1
        if source == "An example" and most:
            key = f"limits.example.{task}"
            number = st.number_input(f"Number, 1 to {most:,}", 1, most, key=key, width=180)
    if source == "My own text":
        return _typed(run.spec.base)
    if rows.problem or not rows.examples:
        st.warning(widgets.plain(rows.problem or "This task has no test examples."))
        return None
    chosen = rows.examples[number - 1]
    st.text(chosen.source)
    return chosen


def _typed(base: str) -> Example | None:
    """A text of one's own, and what a decoder reads after it."""
    from peftcore.training.predict import typed_example

    left, right = st.columns(2)
    text = left.text_input(
        "Text", key="limits.text", help="A pair for an encoder has || between its two texts."
    )
    answer = right.text_input("What a decoder reads after it", key="limits.answer")
    if not text.strip():
        st.caption("Type a text to measure the layers on it.")
        return None
    if not answer.strip() and catalog.describe(base).kind != "encoder":
        st.caption("Without words for the decoder it reads the sign it starts with, nothing else.")
    made = typed_example(text)
    return Example(made.id, made.source, answer, parts=made.parts)


def pick_head(run: Run, other: Run | None, example: Example) -> Shown:
    """Layer, head, seed and switches, and what they show."""
    sites = limits_cache.sites(run.spec.base)
    anatomy = cache.base(run.spec.base).anatomy
    places = list(dict.fromkeys(site.place for site in sites))
    # The decoder first: that is where LoRA sits by default, which the page holds against prefixes.
    start = places.index("decoder") if "decoder" in places else 0
    first, second, third = st.columns([21, 20, 21])
    with first:
        place = _one("Attention", places, f"limits.place.{len(places)}", PLACES.__getitem__, start)
        count = sum(site.place == place for site in sites)
        layer = _one("Layer", list(range(count)), f"limits.layer.{place}.{count}", _from_one)
    with second:
        head = _one("Head", list(range(anatomy.heads)), f"limits.head.{anatomy.heads}", _from_one)
        seeds = run.spec.population.seeds
        seed = _one("Seed", list(range(seeds)), f"limits.seed.{seeds}")
    with third:
        inputs = _one("Inputs of the layer", [ALONE, WHOLE], "limits.inputs")
        positions = _one("Positions", [CONTROLLED, NAIVE], "limits.positions")
    st.caption(f"{EXPLAINED[inputs]} {EXPLAINED[positions]}")
    asked = limits_cache.Asked(
        example, seed, inputs == ALONE, positions == NAIVE, _pick_length(run)
    )
    return shown_head(run, other, asked, place, layer, head)


def _one(
    label: str, options: Sequence[T], key: str, name: Callable[[T], str] = str, start: int = 0
) -> T:
    """One of several, side by side if they are few."""
    if len(options) > FEW:
        return st.selectbox(label, options, index=start, format_func=name, key=key)
    return st.segmented_control(
        label, options, default=options[start], required=True, format_func=name, key=key
    )


def _from_one(number: int) -> str:
    """Layers and heads count from one on the screen."""
    return str(number + 1)


def _pick_length(run: Run) -> int | None:
    """How many of the prefix's positions are used; None for all, and where there is no prefix."""
    whole = limits_cache.prefix_length(run)
    if whole < 2:
        return None
    used = st.slider(
        "Prefix positions used",
        1,
        whole,
        whole,
        key=f"limits.length.{whole}",
        help="The first ones of the trained prefix. With one, the bias lies on a line; with more, "
        "in a span of as many dimensions.",
    )
    return None if used == whole else used
