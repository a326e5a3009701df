"""What the Limits page looks at: run, run beside it, text, layer, head, and the switches.

The run lives in the address (`?run=…`), so that other pages can link to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.labs.limits import cache as limits_cache
from app.labs.limits.views import ATTENTION_KINDS, LimitsSubject, measure_head
from app.state import cache
from app.ui import pickers, widgets
from app.ui.run_styles import titles_by_run
from peftcore.data.task import Example
from peftcore.models import catalog
from peftcore.runs.store import Run

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


def pick_runs(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """Offer a run, and another to compare it with."""
    titles = titles_by_run(runs)
    left, right = st.columns(2)
    with left:
        run = pickers.pick_run(
            runs,
            "limits.run",
            lambda run: titles[run.id],
            "finished runs that work inside attention layers can be measured",
        )
    others = {other.id: other for other in limits_cache.comparable_runs(run, runs)}
    other_id = right.selectbox(
        "Compare with",
        [*others, ""],
        format_func=lambda name: titles[name] if name else "Nothing",
        key=f"limits.beside.{run.id}",
        help="Another method on the same base, such as LoRA, which can reorder attention.",
    )
    return run, others.get(other_id)


def pick_text(run: Run) -> Example | None:
    """A test example of the run's task, or a text and what the decoder reads after it."""
    task = run.spec.task
    rows = cache.split_examples(task, "test")
    example_count = len(rows.examples)
    with st.container(horizontal=True):
        source = pickers.pick_one("Input", ["An example", "My own text"], "limits.source")
        number = 1
        if source == "An example" and example_count:
            key = f"limits.example.{task}"
            number = st.number_input(
                f"Number, 1 to {example_count:,}", 1, example_count, key=key, width=180
            )
    if source == "My own text":
        return _type_example(run.spec.base)
    if rows.problem or not rows.examples:
        st.warning(widgets.escape_markdown(rows.problem or "This task has no test examples."))
        return None
    example = rows.examples[number - 1]
    st.text(example.source)
    return example


def _type_example(base: str) -> Example | None:
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
    if not answer.strip() and catalog.describe_base(base).kind != "encoder":
        st.caption("Without words for the decoder it reads the sign it starts with, nothing else.")
    parsed = typed_example(text)
    return Example(parsed.id, parsed.source, answer, parts=parsed.parts)


def pick_subject(run: Run, other_run: Run | None, example: Example) -> LimitsSubject:
    """Layer, head, seed and switches, and what they show."""
    blocks = limits_cache.attention_blocks(run.spec.base)
    structure = cache.base_model(run.spec.base).structure
    attention_kinds = list(dict.fromkeys(block.attention_kind for block in blocks))
    # The decoder first: that is where LoRA sits by default, which the page compares with prefixes.
    with st.container(horizontal=True):
        attention_kind = pickers.pick_one(
            "Attention",
            attention_kinds,
            f"limits.place.{len(attention_kinds)}",
            ATTENTION_KINDS.__getitem__,
            default="decoder" if "decoder" in attention_kinds else None,
        )
        layer_count = sum(block.attention_kind == attention_kind for block in blocks)
        first = min(int(run.spec.settings.get("first_layer", 0)), layer_count - 1)
        key = f"limits.layer.{attention_kind}.{layer_count}"
        # A run that enters higher up opens where there is something to see.
        layer = pickers.pick_index("Layer", layer_count, f"{key}.{first}" if first else key, first)
        head = pickers.pick_index("Head", structure.heads, f"limits.head.{structure.heads}")
        seeds = run.spec.population.seeds
        seed = pickers.pick_one("Seed", list(range(seeds)), f"limits.seed.{seeds}")
    with st.container(horizontal=True):
        inputs = pickers.pick_one("Inputs of the layer", [ONE_LAYER, WHOLE_STACK], "limits.inputs")
        positions = pickers.pick_one(
            "Positions", [CONTROLLED_POSITIONS, SHIFTED_POSITIONS], "limits.positions"
        )
    st.caption(f"{SWITCH_HELP[inputs]} {SWITCH_HELP[positions]}")
    limits_input = limits_cache.LimitsInput(
        example, seed, inputs == ONE_LAYER, positions == SHIFTED_POSITIONS, _pick_prefix_length(run)
    )
    return measure_head(run, other_run, limits_input, attention_kind, layer, head)


def _pick_prefix_length(run: Run) -> int | None:
    """Offer the number of prefix positions; None for all, and where there is no prefix."""
    full_length = limits_cache.prefix_length(run)
    if full_length < 2:
        return None
    used_length = st.slider(
        "Prefix positions used",
        1,
        full_length,
        full_length,
        key=f"limits.length.{full_length}",
        help="The first ones of the trained prefix. With one, the bias lies on a line; with more, "
        "in a span of as many dimensions.",
    )
    return None if used_length == full_length else used_length
