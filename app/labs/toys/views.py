"""The Toys page: what each experiment asks and shows, a run of one's own, answers, capacity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import streamlit as st

from app.figures import toys as figures
from app.labs.toys import cache
from app.state import wait_for_imports
from app.ui import job_panel, pickers
from app.ui.charts import chart
from peftcore.analysis import change_sentences, judgement
from peftcore.analysis.comparison import paired_difference
from peftcore.labs.toys import capacity
from peftcore.labs.toys.recipes import SOURCE, TASKS, TITLES
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.labs.toys.results import ResultRow

EXPERIMENT_TITLES: dict[str, str] = {
    number: f"{number} {title}" for number, title in TITLES.items()
}
CAPACITY = "Capacity"
COMPARED = {  # by experiment: what is judged against what, each an adaptation and a task
    "01": (("prefix: descending", "descending"), ("fine-tuned: descending", "descending")),
    "04": (("prefix: histogram", "histogram"), ("rank-1 LoRA: histogram", "histogram")),
}
QUESTIONS: Mapping[str, str] = {
    "01": "A model that has learnt to sort ascending is to sort descending. That takes another "
    "pattern of attention among the digits. Fine-tuning can install it; a prefix only scales the "
    "pattern there is, and may not be able to learn the task.",
    "02": "A model has seen four tasks in pretraining without a sign of which one is meant, so "
    "it hedges. A prefix cannot teach it anything new, but it can select which of its skills is "
    "wanted.",
    "03": "Two things no sequence of pretraining ever asked for: a composition of two skills that "
    "were seen, and counting, which is foreign. At full size and with half a million steps a "
    "prefix learns the composition; at this size it looks unlearnable for a prefix.",
    "04": "The same counting task, once with a prefix and once with rank-1 LoRA on the perceptron, "
    "with equally many trainable parameters and steps. What matters is what they can reach, not "
    "how many there are.",
}
DEFAULT_TEXT = "One_token,20_signs!!"


def experiment_title(choice: str) -> str:
    """Return the title of an experiment, or of the capacity construction."""
    return EXPERIMENT_TITLES.get(choice, choice)


def show_experiment(number: str) -> None:
    """One experiment: question, results, a run of one's own, and questions to the models."""
    st.markdown(QUESTIONS[number])
    sources = cache.result_sources(number)
    if sources:
        source = sources[0]
        if len(sources) > 1:
            by_name = {one.name: one for one in sources}
            source = by_name[
                pickers.pick_one(
                    "Results",
                    list(by_name),
                    f"toys.source.{number}.{len(sources)}",
                    default=source.name,
                )
            ]
        _show_results(source)
    else:
        st.info("No results of this experiment are here yet; run it below.")
    _show_run_panel(number)
    if sources:
        _ask_variants(source)


def _show_results(source: cache.ResultSource) -> None:
    """Show the scores of every variant as a table of cells."""
    rows = source.rows()
    st.markdown(results_in_words(source.recipe.number, rows))
    chart(
        figures.exact_match_heatmap(rows),
        key=f"toys.match.{source.name}",
        name=f"toys-{source.recipe.number}",
        alt=figures.exact_match_heatmap_alt(rows),
        table=figures.exact_match_table(rows),
    )
    shape, missing = source.recipe.shape, len(source.recipe.stages) - _count_stages(rows)
    later = f" {missing} of its trainings are not there yet." if missing else ""
    st.caption(
        f"{rows[0].model}, {shape.length} digits from 0 to 7, {shape.pads} "
        f"position{'s' * (shape.pads > 1)} in front; {len(source.seeds)} "
        f"seed{'s' * (len(source.seeds) > 1)}, each with a pretraining of its own; models are "
        "tested after their last step. Intervals are about other seeds on the same test sequences; "
        "where seeds fall into two groups those above the gap are counted instead. "
        f"Paper: {SOURCE}.{later}"
    )


def _count_stages(rows: Sequence[ResultRow]) -> int:
    return len({row.adaptation for row in rows})


def results_in_words(number: str, rows: Sequence[ResultRow]) -> str:
    """Sum the results up in a sentence made of the numbers."""
    summaries = {(row.adaptation, row.task): row for row in rows}
    constant = next((row.constant for row in rows if row.constant is not None), None)

    def percent(adaptation: str, task: str) -> str | None:
        row = summaries.get((adaptation, task))
        if row is None:
            return None
        return f"**{row.summary} %**" + (" (seeds)" if row.groups else "")

    parts = {
        "01": [
            ("pretrained: {} of ascending", percent("pretrained", "ascending")),
            ("fine-tuned: {} of descending", percent("fine-tuned: descending", "descending")),
            ("prefix: {} of descending", percent("prefix: descending", "descending")),
        ],
        "02": [
            (f"prefix for “{TASKS[task]}”: {{}}", percent(f"prefix: {task}", task))
            for task in ("ascending", "descending", "add1", "add2")
        ],
        "03": [
            ("prefix for a skill it has seen: {}", percent("prefix: ascending", "ascending")),
            ("for the composition: {}", percent("prefix: ascending_add1", "ascending_add1")),
            ("for counting: {}", percent("prefix: histogram", "histogram")),
        ],
        "04": [
            ("counting with a prefix: {}", percent("prefix: histogram", "histogram")),
            ("with rank-1 LoRA: {}", percent("rank-1 LoRA: histogram", "histogram")),
        ],
    }[number]
    words = "; ".join(form.format(value) for form, value in parts if value)
    if number in ("03", "04") and constant is not None:
        words += f"; always giving the same answer: **{constant:.1f} %**"
    if not words:
        return ""
    sentence = f"{words[:1].upper()}{words[1:]}."
    return " ".join([sentence, *_verdicts(number, summaries)])


def _verdicts(number: str, rows: Mapping[tuple[str, str], ResultRow]) -> Iterator[str]:
    """Say whether the first of two adaptations is ahead of the second, seed by seed."""
    if number not in COMPARED:
        return
    one, other = COMPARED[number]
    if one not in rows or other not in rows:
        return
    first, second = (dict(enumerate(rows[key].seeds)) for key in (other, one))
    gap = paired_difference(first, second, (-100.0, 100.0))
    verdict = change_sentences.change_in_words(gap, ".1f", judgement.DEFAULT_MARGIN)
    yield (
        f"{one[0].partition(':')[0].capitalize()} against {other[0].partition(':')[0]}, in points: "
        f"{verdict}; intervals are about other seeds on the same inputs."
    )


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


def _ask_variants(source: cache.ResultSource) -> None:
    """A digit string, what every variant answers, and what its heads look at."""
    st.subheader("Ask every variant", anchor=False)
    number, length = source.recipe.number, source.recipe.shape.length
    typed = st.text_input(
        f"{length} digits from 0 to 7",
        value="31450323162537"[:length],  # one digit twice, else counting were the same answer
        key=f"toys.digits.{number}.{length}",
        width=260,
    )
    typed_digits = cache.parse_digits(typed, length)
    if not wait_for_imports.ready_or_wait("toys"):
        return
    variant_answers = cache.variant_answers(source, typed_digits)
    table = pd.DataFrame(
        [
            {
                "Variant": figures.adaptation_title(variant_answer.adaptation),
                "Answer": " ".join(map(str, variant_answer.digits)),
                "This is right for": ", ".join(
                    TASKS[task]
                    for task in cache.tasks_answered(variant_answer.digits, typed_digits)
                )
                or "none of the tasks",
            }
            for variant_answer in variant_answers
        ]
    )
    st.dataframe(table, hide_index=True, alt=f"Answers of every variant to {typed}")
    st.caption("Models of the first seed; greedy decoding.")
    _show_attention(source, variant_answers, typed_digits)


def _show_attention(
    source: cache.ResultSource,
    variant_answers: Sequence[cache.VariantAnswer],
    typed_digits: tuple[int, ...],
) -> None:
    """Show the attention of one head in several variants."""
    shape, number = source.recipe.shape, source.recipe.number
    layer = head = 0
    with st.container(horizontal=True):
        if shape.layers > 1:
            layer = pickers.pick_index("Layer", shape.layers, f"toys.layer.{number}")
        if shape.heads > 1:
            head = pickers.pick_index("Head", shape.heads, f"toys.head.{number}")
    names = [variant_answer.adaptation for variant_answer in variant_answers]
    variant = st.selectbox(
        "Compare the pretrained model with",
        names[1:] or names,
        index=len(names[1:]) - 1 if len(names) > 1 else 0,
        format_func=figures.adaptation_title,
        key=f"toys.variant.{number}.{len(names)}",
    )
    digits_read = [*typed_digits, *variant_answers[names.index(variant)].digits]
    attention_by_variant = cache.variant_attention(source, digits_read)
    head_weights = {name: attention_by_variant[name][layer][head] for name in (names[0], variant)}
    digits = [str(digit) for digit in digits_read]
    chart(
        figures.variant_heatmaps(head_weights, digits[: 2 * shape.length - 1], shape.pads),
        key=f"toys.heads.{number}",
        name=f"toys-{number}-head",
        alt=figures.variant_heatmaps_alt(head_weights, shape.pads),
    )
    st.caption(
        "Both models read the input and the variant's answer. P positions hold the prefix, or a "
        "constant where there is none."
    )


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
    positions = capacity.run_network(virtual)
    st.markdown("The fixed network prints")
    st.code("".join(position.symbol for position in positions), language=None)
    st.caption(
        f"{len(text)} coordinates choose one of {len(capacity.SYMBOLS)}^{len(text)} texts. "
        "After arXiv:2310.19698, section 3."
    )
    number = 1
    if len(text) > 1:
        number = st.slider("Position", 1, len(text), 1, key=f"toys.position.{len(text)}")
    _show_arithmetic(positions[number - 1], number, float(virtual[number - 1]))


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
    chart(
        figures.symbol_scores_chart(position),
        key="toys.output",
        name=f"capacity-{number}",
        alt=figures.symbol_scores_alt(position),
        table=pd.DataFrame({"symbol": list(capacity.SYMBOLS), "score": position.logits}),
    )
