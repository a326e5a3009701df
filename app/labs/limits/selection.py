"""What the Limits page looks at: run, run beside it, text, layer, head, and the switches.

The run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.labs.limits import cache as limits_cache
from app.labs.limits.cache import LAB
from app.labs.limits.views import LimitsSubject, measure_head
from app.ui import frame, pickers, subject, text_choice
from app.ui.run_styles import styles_by_run, titles_by_run
from app.ui.subject import Choice, typed
from peftcore.data.task import Example
from peftcore.labs.attention import first_pictures
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

NO_RUN = "nothing"
ONE_LAYER, WHOLE_STACK = "This layer alone", "Whole stack"
CONTROLLED_POSITIONS, SHIFTED_POSITIONS = "Controlled", "Naive"
SWITCH_HELP = {
    ONE_LAYER: "Only this layer has the adapter, so its inputs are the base's. "
    "Here the theory is exact.",
    WHOLE_STACK: "Every layer has the adapter. From the second one on inputs differ, and so do "
    "patterns: effects compound.",
    CONTROLLED_POSITIONS: "Content keeps its positions in both passes, as the theory demands.",
    SHIFTED_POSITIONS: "The prefix moves the content to later positions, as it does where a "
    "prefix is passed off as earlier tokens. On models with learned absolute positions this "
    "changes the inputs and seems to refute the theory.",
}


def pick_runs(bar: DeltaGenerator, runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """Offer a run, and another to compare it with."""
    titles, styles = titles_by_run(runs), styles_by_run(runs)
    by_id = {run.id: run for run in runs}
    choice = Choice(
        LAB,
        "run",
        "Run",
        list(by_id),
        option_text=titles.__getitem__,
        missing=pickers.why_run_missing(
            "finished runs that work inside attention layers can be measured"
        ),
    )
    run = by_id[choice.settle()]
    others = {other.id: other for other in first_pictures.comparable_runs(run, runs)}
    against = Choice(
        LAB,
        "with",
        "Compare with",
        [*others, NO_RUN],
        option_text=lambda name: f"vs {titles.get(name, name)}",
        # A base is what a run is compared with on another lab; here every run is.
        missing=lambda name: f"{name} cannot be compared with this run here.",
    )
    with bar:
        choice.as_list(label_visibility="collapsed", width=185)
        other = against.as_list(label_visibility="collapsed", width=150)
    frame.run_colour(choice.key, styles[run.id].colour)
    return run, others.get(other)


def pick_text(bar: DeltaGenerator, run: Run) -> Example | None:
    """A test example of the run's task, or a text and what the decoder reads after it."""
    is_encoder = catalog.describe_base(run.spec.base).kind == "encoder"
    answer = ""

    def pick_answer() -> None:
        nonlocal answer
        if st.session_state.get(f"{LAB}.source") != text_choice.OWN or is_encoder:
            return
        answer = typed(LAB, "answer", "What a decoder reads after it")
        if not answer.strip():
            st.caption(
                "Without words for the decoder it reads the sign it starts with, nothing else."
            )

    _, example = text_choice.pick_text(LAB, bar, run.spec.task, pick_answer)
    if example is None or st.session_state.get(f"{LAB}.source") != text_choice.OWN:
        return example
    return Example(example.id, example.source, answer, parts=example.parts)


def pick_subject(
    here: frame.Frame, run: Run, other_run: Run | None, example: Example
) -> LimitsSubject:
    """Layer, head, seed and switches, and what they show."""
    population = run.spec.population
    numbers = [str(number) for number in population.seed_numbers()]
    with here.bar:
        seed = Choice(LAB, "seed", "Seed", numbers, option_text=lambda number: f"Seed {number}")
        seed_index = numbers.index(seed.as_list(label_visibility="collapsed", width=86))
        kind, layer = _pick_layer(run, example)
        heads = range(1, limits_cache.head_count(run, example) + 1)
        head = Choice(LAB, "head", "Head", heads, option_text=lambda number: f"Head {number}")
        head_number = head.as_list(label_visibility="collapsed", width=88)
    with here.side:
        inputs = Choice(LAB, "inputs", "Who has the adapter", [ONE_LAYER, WHOLE_STACK]).as_buttons(
            help=f"{SWITCH_HELP[ONE_LAYER]} {SWITCH_HELP[WHOLE_STACK]}"
        )
        length = _pick_prefix_length(run)
    with here.more():
        positions = Choice(
            LAB, "positions", "Positions", [CONTROLLED_POSITIONS, SHIFTED_POSITIONS]
        ).as_buttons()
        st.caption(f"{SWITCH_HELP[inputs]} {SWITCH_HELP[positions]}")
    limits_input = limits_cache.LimitsInput(
        example, seed_index, inputs == ONE_LAYER, positions == SHIFTED_POSITIONS, length
    )
    return measure_head(run, other_run, limits_input, kind, layer, head_number - 1)


def _pick_layer(run: Run, example: Example) -> tuple[str, int]:
    """Offer the layers of all kinds of attention; return the kind and the layer from zero."""
    blocks = limits_cache.attention_blocks(run, example)
    counts = Counter[str](block.attention_kind for block in blocks)
    kind, first = first_pictures.opening_layer(run, counts)
    names = subject.layer_names(dict(counts))
    chosen = Choice(
        LAB,
        "layer",
        "Layer",
        list(names),
        first=subject.layer_id(kind, first, len(counts)),
        option_text=names.__getitem__,
    ).as_list(label_visibility="collapsed", width=112)
    chosen_kind, _, number = chosen.rpartition("-")
    return chosen_kind or kind, int(number) - 1


def _pick_prefix_length(run: Run) -> int | None:
    """Offer the number of prefix positions; None for all, and where there is no prefix."""
    full_length = limits_cache.prefix_length(run)
    if full_length < 2:
        return None
    used_length = Choice(
        LAB,
        "length",
        "Prefix positions used",
        range(1, full_length + 1),
        first=full_length,
    ).as_slider(
        help="The first ones of the trained prefix. With one, the bias lies on a line; with more, "
        "in a span of as many dimensions."
    )
    return None if used_length == full_length else used_length
