"""The Toys page: what each experiment asks and shows, a run of one's own, answers, capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app.figures import toys as figures
from app.labs.toys import cache
from app.state import wait_for_imports
from app.ui import errors, widgets
from app.ui.charts import chart
from peftcore.errors import BadInput
from peftcore.labs.toys import capacity, live
from peftcore.labs.toys.recipes import SOURCE, TASKS, TITLES, Recipe, find_recipe
from peftcore.labs.toys.results import ResultRow

NAMES: dict[str, str] = {number: f"{number} {title}" for number, title in TITLES.items()}
CAPACITY = "Capacity"
ASKS: Mapping[str, str] = {
    "01": "A model that has learnt to sort ascending is to sort descending. That takes another "
    "pattern of attention among the digits. Fine-tuning can install it; a prefix only scales the "
    "pattern there is, and may not be able to learn the task.",
    "02": "A model has seen four tasks in pretraining without being told which one is meant, so "
    "it hedges. A prefix cannot teach it anything new, but it can tell it which of its skills is "
    "wanted.",
    "03": "Two things no sequence of pretraining ever asked for: a composition of two skills that "
    "were seen, and counting, which is foreign. At full size and with half a million steps a "
    "prefix learns the composition; at this size it looks unlearnable for a prefix.",
    "04": "The same counting task, once with a prefix and once with rank-1 LoRA on the perceptron, "
    "with equally many trained numbers and steps. What matters is what the numbers can reach, not "
    "how many there are.",
}
DEFAULT_TEXT = "One_token,20_signs!!"


def name(choice: str) -> str:
    """What an experiment, or the capacity construction, is called on the page."""
    return NAMES.get(choice, choice)


def experiment(number: str) -> None:
    """One experiment: question, results, a run of one's own, and questions to the models."""
    st.markdown(ASKS[number])
    found = cache.sources(number)
    if found:
        source = found[0]
        if len(found) > 1:
            by_name = {one.name: one for one in found}
            source = by_name[
                st.segmented_control(
                    "Results",
                    list(by_name),
                    default=source.name,
                    required=True,
                    key=f"toys.source.{number}.{len(found)}",
                )
            ]
        _results(source)
    else:
        st.info("No results of this experiment are here yet; run it below.")
    _run(number)
    if found:
        _try(source)


def _results(source: cache.Source) -> None:
    rows = source.rows()
    st.markdown(finding(source.recipe.number, rows))
    chart(
        figures.exact_match(rows),
        key=f"toys.match.{source.name}",
        name=f"toys-{source.recipe.number}",
        alt=figures.exact_match_alt(rows),
        table=figures.table(rows),
    )
    shape, missing = source.recipe.shape, len(source.recipe.stages) - _stages(rows)
    later = f" {missing} of its trainings are not there yet." if missing else ""
    st.caption(
        f"{rows[0].model}, {shape.length} digits from 0 to 7, {shape.pads} "
        f"position{'s' * (shape.pads > 1)} in front; {len(source.seeds)} "
        f"seed{'s' * (len(source.seeds) > 1)}, each with a pretraining of its own; models are "
        f"tested after their last step. Paper: {SOURCE}.{later}"
    )


def _stages(rows: Sequence[ResultRow]) -> int:
    return len({row.adaptation for row in rows})


def finding(number: str, rows: Sequence[ResultRow]) -> str:
    """What came out, in a sentence made of the numbers."""
    means = {(row.adaptation, row.task): row.mean for row in rows}
    constant = next((row.constant for row in rows if row.constant is not None), None)

    def said(adaptation: str, task: str) -> str | None:
        value = means.get((adaptation, task))
        return None if value is None else f"**{value:.1f} %**"

    parts = {
        "01": [
            ("pretrained: {} of ascending", said("pretrained", "ascending")),
            ("fine-tuned: {} of descending", said("fine-tuned: descending", "descending")),
            ("prefix: {} of descending", said("prefix: descending", "descending")),
        ],
        "02": [
            (f"prefix for “{TASKS[task]}”: {{}}", said(f"prefix: {task}", task))
            for task in ("ascending", "descending", "add1", "add2")
        ],
        "03": [
            ("prefix for a skill it has seen: {}", said("prefix: ascending", "ascending")),
            ("for the composition: {}", said("prefix: ascending_add1", "ascending_add1")),
            ("for counting: {}", said("prefix: histogram", "histogram")),
        ],
        "04": [
            ("counting with a prefix: {}", said("prefix: histogram", "histogram")),
            ("with rank-1 LoRA: {}", said("rank-1 LoRA: histogram", "histogram")),
        ],
    }[number]
    words = "; ".join(form.format(value) for form, value in parts if value)
    if number in ("03", "04") and constant is not None:
        words += f"; always giving the same answer: **{constant:.1f} %**"
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _run(number: str) -> None:
    """Start the experiment in a process of its own, and watch it."""
    with st.expander("Run it yourself", icon=":material/play_circle:"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            size = st.segmented_control(
                "Recipe",
                ["quick", "cpu", "full"],
                default="quick",
                required=True,
                key=f"toys.size.{number}",
                help="quick: a taste, with a twentieth of the steps; cpu: what is shipped; full: "
                "the paper's size, for a GPU and patience.",
            )
            seeds = st.number_input("Seeds", 1, 16, 2, key=f"toys.seeds.{number}", width=140)
            pressed = st.button(
                "Start",
                type="primary",
                key=f"toys.start.{number}",
                icon=":material/play_arrow:",
            )
        chosen = find_recipe(number, size)
        if pressed:
            try:
                live.start_experiment(chosen, range(int(seeds)))
            except BadInput as error:
                st.error(widgets.escape_markdown(str(error)), icon=":material/error:")
        _watch(chosen)


def _watch(chosen: Recipe) -> None:
    there = live.read_status(chosen)
    if there is None:
        st.caption(f"{sum(stage.steps for stage in chosen.stages):,} steps in all.")
        return
    busy = there.busy

    @st.fragment(run_every=2.0 if busy else None)
    @errors.guarded
    def progress() -> None:
        now = live.read_status(chosen)
        if now is None:
            return
        if busy and not now.busy:
            st.rerun()
        _progress(chosen, now)

    progress()


def _progress(chosen: Recipe, now: live.ToyRunStatus) -> None:
    words = f"{figures.in_words(now.stage)}, step {now.step:,} of {now.steps:,}"
    if now.busy:
        st.progress(min(1.0, now.done), words if now.stage else "Starting…")
        if st.button(
            "Stop",
            key=f"toys.stop.{chosen.number}.{chosen.size}",
            icon=":material/stop:",
            help="Trainings that are finished are kept; starting again goes on after them.",
        ):
            live.cancel_experiment(chosen)
            st.caption("Stopping after the current step…")
    else:
        ended = {"done": "Done", "cancelled": "Stopped", "failed": "Failed"}
        state = ended.get(now.state, "Its process is gone")
        st.caption(f"{state}: {len(now.seeds)} seeds. Starting again goes on where it ended.")
    if now.losses:
        chart(
            figures.learning(now.losses),
            key=f"toys.losses.{chosen.number}.{chosen.size}",
            name=f"toys-{chosen.number}-{chosen.size}-loss",
            alt=figures.learning_alt(now.losses),
        )


def _try(source: cache.Source) -> None:
    """A digit string, what every variant answers, and what its heads look at."""
    st.subheader("Ask every variant", anchor=False)
    number, length = source.recipe.number, source.recipe.shape.length
    typed = st.text_input(
        f"{length} digits from 0 to 7",
        value="31450323162537"[:length],  # one digit twice, else counting were the same answer
        key=f"toys.digits.{number}.{length}",
        width=260,
    )
    asked = cache.digits_of(typed, length)
    if not wait_for_imports.ready_or_wait("toys"):
        return
    answered = cache.answers(source, asked)
    table = pd.DataFrame(
        [
            {
                "Variant": figures.in_words(one.adaptation),
                "Answer": " ".join(map(str, one.digits)),
                "This is right for": ", ".join(
                    TASKS[task] for task in cache.right(one.digits, asked)
                )
                or "none of the tasks",
            }
            for one in answered
        ]
    )
    st.dataframe(table, hide_index=True, alt=f"Answers of every variant to {typed}")
    st.caption("Models of the first seed; greedy decoding.")
    _look(source, answered, asked)


def _look(source: cache.Source, answered: Sequence[cache.Answered], asked: tuple[int, ...]) -> None:
    shape, number = source.recipe.shape, source.recipe.number
    layer = head = 0
    with st.container(horizontal=True):
        if shape.layers > 1:
            layer = _one("Layer", shape.layers, f"toys.layer.{number}")
        if shape.heads > 1:
            head = _one("Head", shape.heads, f"toys.head.{number}")
    names = [one.adaptation for one in answered]
    variant = st.selectbox(
        "Beside the pretrained model",
        names[1:] or names,
        index=len(names[1:]) - 1 if len(names) > 1 else 0,
        format_func=figures.in_words,
        key=f"toys.variant.{number}.{len(names)}",
    )
    read = [*asked, *answered[names.index(variant)].digits]
    seen = cache.attention(source, read)
    pictures = {name: seen[name][layer][head] for name in (names[0], variant)}
    digits = [str(digit) for digit in read]
    chart(
        figures.heads(pictures, digits[: 2 * shape.length - 1], shape.pads),
        key=f"toys.heads.{number}",
        name=f"toys-{number}-head",
        alt=figures.heads_alt(pictures, shape.pads),
    )
    st.caption(
        "Both models read the input and the variant's answer. P positions hold the prefix, or a "
        "constant where there is none."
    )


def _one(label: str, count: int, key: str) -> int:
    chosen = st.segmented_control(
        label,
        list(range(count)),
        default=0,
        required=True,
        format_func=lambda place: str(place + 1),
        key=key,
    )
    return int(chosen)


def show_capacity() -> None:
    """Any string out of one virtual token, with the arithmetic of one position."""
    st.markdown(
        "What a prefix can do: one layer with two heads, whose weights never change, prints "
        f"**any** text of up to {capacity.MAX_TEXT_LENGTH} signs if one virtual token is chosen "
        "for it. An "
        f"ordinary token in that place could choose among {len(capacity.SYMBOLS)} texts only."
    )
    text = st.text_input(
        "Text to print",
        value=DEFAULT_TEXT,
        key="toys.text",
        help="Printable ASCII without spaces.",
    )
    virtual = capacity.encode_text(text)
    found = capacity.run_network(virtual)
    st.markdown("The fixed network prints")
    st.code("".join(position.symbol for position in found), language=None)
    st.caption(
        f"{len(text)} coordinates choose one of {len(capacity.SYMBOLS)}^{len(text)} texts. "
        "After arXiv:2310.19698, section 3."
    )
    chosen = 1
    if len(text) > 1:
        chosen = st.slider("Position", 1, len(text), 1, key=f"toys.position.{len(text)}")
    _arithmetic(found[chosen - 1], chosen, float(virtual[chosen - 1]))


def _arithmetic(position: capacity.PositionTrace, number: int, stored: float) -> None:
    """Every number on the way at one position."""
    count = len(capacity.SYMBOLS)
    steps = [
        ("Stored in this coordinate", f"{stored:.17g}"),
        ("First head: attention on its own position", f"{position.own_attention[number]:.17g}"),
        ("Second head: attention on the virtual token", f"{position.first_attention[0]:.17g}"),
        ("Both heads together, this coordinate", f"{position.head_outputs[number - 1]:.17g}"),
        ("relu(that − 1), summed over coordinates", f"{position.value:.17g}"),
        (f"times {count}", f"{count * position.value:.17g}"),
        ("Symbol with that number", position.symbol),
    ]
    st.dataframe(
        pd.DataFrame(steps, columns=["Step", "Value"]),
        hide_index=True,
        alt=f"The arithmetic at position {number}",
    )
    chart(
        figures.output(position),
        key="toys.output",
        name=f"capacity-{number}",
        alt=figures.output_alt(position),
        table=pd.DataFrame({"symbol": list(capacity.SYMBOLS), "score": position.logits}),
    )
