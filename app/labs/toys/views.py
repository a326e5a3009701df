"""The Toys page: what each experiment asks and shows, a run of one's own, answers, capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import toys as figures
from app.labs.toys import cache, findings
from app.state import cache as state_cache
from app.state import wait_for_imports
from app.ui import job_panel, pickers, subject
from app.ui.charts import chart, picture
from app.ui.frame import Frame, provenance
from app.ui.subject import Choice
from app.ui.widgets import escape_markdown
from peftcore.labs.toys import capacity
from peftcore.labs.toys.recipes import TASKS, TITLES
from peftcore.labs.toys.request import ToyJob, ToyRequest

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LAB = "toys"
CAPACITY = "Capacity"
VIEWS: Mapping[str, str] = {
    **{number: f"{number} {title}" for number, title in TITLES.items()},
    CAPACITY: CAPACITY,
}
PATTERN_EXPERIMENT = "01"  # whose point is the attention of its one head
QUESTIONS: Mapping[str, str] = {
    "01": "A model that has learnt to sort ascending is to sort descending. That takes another "
    "pattern of attention among the digits. Fine-tuning can install it; a prefix only scales the "
    "pattern there is, and may not be able to learn the task.",
    "02": "A model has seen four tasks in pretraining without a sign of which one is meant, so "
    "it hedges. A prefix cannot teach it anything new, but it can select which of its skills is "
    "wanted.",
    "03": "Two things no sequence of pretraining ever asked for: a composition of two skills that "
    "were seen, and counting, which is foreign. The paper's prefix learns the composition "
    "at full size in half a million steps, and does not learn to count.",
    "04": "The same counting task, once with a prefix and once with rank-1 LoRA on the perceptron, "
    "with equally many trainable parameters and steps. What matters is what they can reach, not "
    "how many there are.",
}
DEFAULT_TEXT = "One_token,20_signs!!"
DEFAULT_DIGITS = "31450323162537"  # one digit twice, else counting were the same answer
# Where cells are narrow their means are left, and the rest is what a touch or the table says.
NARROW_CELLS = """<style>.st-key-toys-match { container-type: inline-size }
@container (max-width: 640px) {
  .st-key-toys-match .textpoint tspan.line:not(:first-child) { display: none }
}
@container (max-width: 480px) {
  .st-key-toys-match .textpoint text { font-size: 9px !important }
}</style>"""
RIGHT, WRONG = "✓", "✗"


def show_experiment(frame: Frame, number: str) -> None:
    """One experiment: its results, what its heads look at, and a run of one's own."""
    sources = cache.result_sources(number)
    if not sources:
        with frame.picture:
            st.info("No results of this experiment are here yet; run it below.")
        frame.explain(QUESTIONS[number])
        with frame.below:
            _show_run_panel(number)
        return
    with frame.side:
        controls = st.container()
    source = _pick_source(controls, number, sources)
    rows = source.rows()
    frame.say(findings.experiment_finding(number, rows), findings.experiment_guard(number, rows))
    with frame.below:
        note = findings.paper_note(source.recipe, rows)
        if note:
            st.caption(note)
    if number == PATTERN_EXPERIMENT and state_cache.imports_ready():
        digits = _pick_digits(controls, source)
        with frame.picture:
            _show_heads(frame, controls, source, digits)
        with frame.below:
            _show_scores(source)
    else:
        frame.explain(
            f"{QUESTIONS[number]}\n\nEach row is a model, each column a task it is tested on; a "
            "cell has the percentage of answers that are right in every digit: mean and 95 % "
            "interval over seeds, or a count where seeds fall into groups."
        )
        with frame.picture:
            _show_scores(source)
        with frame.below:
            st.subheader("What a head looks at", anchor=False)
            controls = st.container(horizontal=True, vertical_alignment="bottom")
            digits = _pick_digits(controls, source)
            if wait_for_imports.ready_or_wait(LAB):
                _show_heads(frame, controls, source, digits)
    with frame.below:
        _show_starts(source)
        _show_run_panel(number)


def _show_starts(source: cache.ResultSource) -> None:
    """Where adaptations have several starts: how each ended, and how what was kept learnt."""
    trained = source.with_several_starts()
    if not trained:
        return
    results = {stage.name: result for stage, result in trained}
    with st.expander("How they were trained", icon=":material/restart_alt:"):
        st.markdown(escape_markdown(findings.training_note(trained)))
        chart(
            figures.start_losses_chart(results),
            key="toys.starts",
            name=f"toys-{source.recipe.number}-starts",
            alt=figures.start_losses_alt(results),
            table=lambda: figures.start_table(results),
        )
        shares = {name: result.right for name, result in results.items() if result.right}
        chart(
            figures.share_right_curves(shares),
            key="toys.right",
            name=f"toys-{source.recipe.number}-right",
            alt=figures.share_right_curves_alt(shares),
        )


def _pick_source(
    controls: DeltaGenerator, number: str, sources: Sequence[cache.ResultSource]
) -> cache.ResultSource:
    """Offer the results of this machine beside those that ship, where there are some."""
    by_name = {source.name: source for source in sources}
    if len(by_name) == 1:
        return sources[0]
    with controls:
        name = Choice(LAB, f"results-{number}", "Results", list(by_name)).as_buttons()
    return by_name[name]


def _show_scores(source: cache.ResultSource) -> None:
    """Show the scores of every variant as a table of cells."""
    rows = source.rows()
    st.html(NARROW_CELLS)
    picture(
        figures.exact_match_heatmap(rows),
        key="toys.match",
        name=f"toys-{source.recipe.number}",
        alt=figures.exact_match_heatmap_alt(rows),
        table=lambda: figures.exact_match_table(rows),
    ).caption(findings.quiet_line(source))


def _pick_digits(place: DeltaGenerator, source: cache.ResultSource) -> tuple[int, ...]:
    """Offer the digits that all models read; BadInput if others are typed."""
    length = source.recipe.shape.length
    with place:
        typed = subject.typed(
            LAB, f"digits-{length}", f"{length} digits from 0 to 7", first=DEFAULT_DIGITS[:length]
        )
    return cache.parse_digits(typed, length)


def _show_heads(
    frame: Frame,
    controls: DeltaGenerator,
    source: cache.ResultSource,
    typed_digits: tuple[int, ...],
) -> None:
    """The attention of one head in the base and its adaptations, over one string of digits."""
    shape = source.recipe.shape
    with controls:
        layer = _pick_number("layer", "Layer", shape.layers)
        head = _pick_number("head", "Head", shape.heads)
        with_front = Choice(LAB, "front", "Positions in front, too", [False, True]).as_toggle(
            help="P positions hold the prefix, or a constant where there is none"
        )
        answers = cache.variant_answers(source, typed_digits)
        variants = [answer.adaptation for answer in answers]
        chosen = _pick_variants(variants)
    task = findings.task_of(chosen[-1])
    right = cache.right_answer(task, typed_digits)
    digits_read = [*typed_digits, *right]
    weights = {
        name: every[layer][head]
        for name, every in cache.variant_attention(source, digits_read).items()
        if name in chosen
    }
    shown = weights if with_front else _without_front(weights, shape.pads)
    _draw_heads(source, shown, digits_read, answers, shape.pads if with_front else 0, task)
    if frame.view == PATTERN_EXPERIMENT:
        frame.explain(
            f"{QUESTIONS[PATTERN_EXPERIMENT]}\n\nRows write the answer, one digit after another; "
            "columns are what they look at. A frame marks the input digits that hold the digit to "
            "be written. All three read the input and the right answer so far."
        )
    st.markdown(findings.pattern_note(weights, shape.pads, layer))
    _show_answers(answers, typed_digits)


def _pick_number(name: str, label: str, count: int) -> int:
    """Offer the layers or heads of a toy where it has several; return the index of the chosen."""
    if count == 1:
        return 0
    numbers = [str(number + 1) for number in range(count)]
    return int(Choice(LAB, name, label, numbers).as_buttons()) - 1


def _pick_variants(variants: Sequence[str]) -> list[str]:
    """The base and two adaptations where there are no more, else the base and a chosen one."""
    adaptations = variants[1:]
    if len(adaptations) <= 2:
        return list(variants)
    chosen = Choice(
        LAB,
        "variant",
        "Beside the pretrained model",
        adaptations,
        first=adaptations[-1],
        option_text=figures.adaptation_title,
    ).as_list()
    return [variants[0], chosen]


def _without_front(weights: Mapping[str, np.ndarray], pads: int) -> dict[str, np.ndarray]:
    return {name: findings.among_digits(each, pads) for name, each in weights.items()}


def _draw_heads(
    source: cache.ResultSource,
    weights: Mapping[str, np.ndarray],
    digits_read: Sequence[int],
    answers: Sequence[cache.VariantAnswer],
    pads: int,
    task: str,
) -> None:
    """Draw the heads with what their models answer, and frames where the next digit stands."""
    length = source.recipe.shape.length
    right = list(digits_read[length:])
    notes = {
        answer.adaptation: f"{' '.join(map(str, answer.digits))} "
        f"{RIGHT if list(answer.digits) == right else WRONG}"
        for answer in answers
    }
    marks = [
        (query, key)
        for query, digit in enumerate(right)
        for key in range(length)
        if task in ("ascending", "descending") and digits_read[key] == digit
    ]
    digits = [str(digit) for digit in digits_read[: 2 * length - 1]]
    scope = "with the positions in front" if pads else "among the digits alone, rescaled"
    picture(
        figures.variant_heatmaps(weights, digits, pads, notes=notes, marks=marks),
        key="toys.heads",
        name=f"toys-{source.recipe.number}-head",
        alt=figures.variant_heatmaps_alt(weights, pads),
    ).caption(
        escape_markdown(
            f"Attention {scope}; models of the first seed, answers above by greedy decoding, "
            f"{RIGHT} right for “{TASKS[task]}”"
        )
    )


def _show_answers(answers: Sequence[cache.VariantAnswer], typed: Sequence[int]) -> None:
    """What every variant answers, and for which tasks that is right."""
    table = pd.DataFrame(
        [
            {
                "Variant": figures.adaptation_title(answer.adaptation),
                "Answer": " ".join(map(str, answer.digits)),
                "This is right for": ", ".join(
                    TASKS[task] for task in cache.tasks_answered(answer.digits, typed)
                )
                or "none of the tasks",
            }
            for answer in answers
        ]
    )
    words = "".join(map(str, typed))
    st.dataframe(table, hide_index=True, alt=f"Answers of every variant to {words}")


def _show_run_panel(number: str) -> None:
    """Start the experiment in a process of its own, and watch it."""
    with st.expander("Run it yourself", icon=":material/play_circle:"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            size = pickers.pick_one(
                "Recipe",
                ["quick", "cpu", "full"],
                f"toys.size.{number}",
                help="quick: a taste, with a twentieth of the steps; cpu: what is shipped; full: "
                "the paper's size, for a GPU and patience.",
            )
            seeds = st.number_input("Seeds", 1, 16, 2, key=f"toys.seeds.{number}", width=140)
        request = ToyRequest.make({"number": number, "size": size, "seeds": int(seeds)})
        steps = sum(stage.steps for stage in request.recipe.stages)
        job_panel.show_job(
            ToyJob, request, _losses, "the experiment", empty=f"{steps:,} steps in all."
        )


def _losses(job: ToyJob) -> None:
    """Training losses of every stage, as far as they have come."""
    losses, asked = job.losses(), job.request
    if losses:
        chart(
            figures.stage_loss_curves(losses),
            key=f"toys.losses.{job.id}",
            name=f"toys-{asked.number}-{asked.size}-loss",
            alt=figures.stage_loss_curves_alt(losses),
        )


def show_capacity(frame: Frame) -> None:
    """Any string out of one virtual token, with the arithmetic of one position."""
    with frame.side:
        text = subject.typed(
            LAB,
            "print",
            "Text to print",
            first=DEFAULT_TEXT,
            help="Printable ASCII without spaces.",
        )
        virtual = capacity.encode_text(text)
        positions = capacity.run_network(virtual)
        number = 1
        if len(text) > 1:
            places = range(1, len(text) + 1)
            number = Choice(LAB, "position", "Position", places).as_slider()
    position = positions[number - 1]
    printed = "".join(each.symbol for each in positions)
    frame.say(
        f"One virtual token makes a network whose weights never change print “{printed}”.",
        escape_markdown(
            f"{len(text)} coordinates choose one of {len(capacity.SYMBOLS)}^{len(text)} texts; an "
            f"ordinary token in that place could choose among {len(capacity.SYMBOLS)} only"
        ),
    )
    frame.explain(
        "What a prefix can do: one layer with two heads prints **any** text of up to "
        f"{capacity.MAX_TEXT_LENGTH} signs. At each position it scores every symbol; the scores "
        "are a parabola whose top the token's coordinate moves to the symbol wanted."
    )
    with frame.picture:
        st.code(printed, language=None)
        picture(
            figures.symbol_scores_chart(position),
            key="toys.output",
            name=f"capacity-{number}",
            alt=figures.symbol_scores_alt(position),
            table=lambda: pd.DataFrame(
                {"symbol": list(capacity.SYMBOLS), "score": position.logits}
            ),
        ).caption(provenance(f"position {number} of {len(text)}", "arXiv:2310.19698, section 3"))
    with frame.below:
        _show_arithmetic(position, number, float(virtual[number - 1]))


def _show_arithmetic(position: capacity.PositionTrace, number: int, stored: float) -> None:
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
