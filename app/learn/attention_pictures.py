"""Pictures of the story about prefixes: a row of attention, a head, outputs, layers, toys."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.figures import limits as figures
from app.figures import toys as toy_figures
from app.figures.theme import RunStyle
from app.learn.picture import Knob, Options, Picture, Shown, fit, fitted
from app.ui.attention_row import ALL_MODES, recorded_head, show_attention_row
from app.ui.charts import chart
from peftcore.analysis.limits import ROUNDING_TOLERANCE
from peftcore.experiments import layers_picture
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TASKS, find_recipe
from peftcore.stories import recordings
from peftcore.stories.recordings import HeadRecording

TOY_RECIPE = "01"
ROW_HEIGHT, CHART_HEIGHT = 300, 440  # pixels


def _head_basis(head: HeadRecording) -> str:
    """Say where the recorded head comes from."""
    return (
        f"{head.base}, layer {head.layer}, head {head.head}; prefix of run {head.prefix_run} and "
        f"LoRA of run {head.lora_run}, seed 0, each in this layer alone. "
        "`python -m peftcore ship stories`"
    )


def _query_knob(options: Options) -> Knob | None:
    """Offer the words that look, where a step asks for it."""
    if not options.get("queries"):
        return None
    head = recorded_head()
    words = [f"{n + 1} {head.tokens[n]}" for n in range(1, len(head.tokens))]
    return Knob("Which word looks", words, words[head.query - 1])


def _row(options: Options, value: str) -> Shown:
    head = recorded_head()
    query = int(value.partition(" ")[0]) - 1 if value else head.query
    asked = options.get("modes", ALL_MODES)
    modes = [mode for name in asked for mode in ALL_MODES if mode == name] or ALL_MODES
    show_attention_row(head, key="learn.row", query=query, modes=modes, high=fitted(ROW_HEIGHT))
    return Shown(basis=_head_basis(head))


def _length_knob(options: Options, first: int = 0) -> Knob:
    length = recorded_head().length
    values = [str(n) for n in (1, 2, 3, 5, length) if n <= length]
    return Knob("Prefix positions used", values, values[first])


def _whole_prefix_knob(options: Options) -> Knob:
    return _length_knob(options, -1)


def _output_plane(options: Options, value: str) -> Shown:
    head, positions = recorded_head(), int(value)
    comparison = head.with_prefix(positions)
    chart(
        fit(figures.bias_plane(comparison, 0, head.tokens), CHART_HEIGHT),
        key="learn.plane",
        name="story-outputs",
        alt=figures.bias_plane_alt(comparison, 0),
    )
    summary = comparison.summarize_head(0)
    line = "one line" if summary.room == 1 else f"{summary.room} directions"
    return Shown(
        f"With {positions} {'position' if positions == 1 else 'positions'} outputs can move along "
        f"{line}; {summary.used} of them carry 99 % of the movement. The order of content stays "
        f"({summary.swapped:.0%} of pairs swapped).",
        f"{len(head.tokens)} queries. {_head_basis(head)}",
    )


def _head_patterns(options: Options, value: str) -> Shown:
    head = recorded_head()
    comparison = head.with_prefix(int(value))
    figure = figures.pattern_heatmaps(comparison, 0, head.tokens, head.tokens, "With the prefix")
    chart(
        fit(figure, CHART_HEIGHT),
        key="learn.patterns",
        name="story-patterns",
        alt=figures.pattern_heatmaps_alt(comparison, 0),
    )
    summary = comparison.summarize_head(0)
    holds = "the same picture" if summary.keeps_order else "not the same picture"
    return Shown(
        f"The prefix takes {summary.share:.0%} on average. Before and renormalised are {holds}: "
        f"they differ by at most {summary.content_drift:.0e}.",
        f"{len(head.tokens)} queries. {_head_basis(head)}",
    )


def layer_changes() -> tuple[pd.DataFrame, dict[str, RunStyle], int]:
    """Return run, layer, drift of every layer of the pretrained base; styles; number of layers."""
    lines = layers_picture.layer_lines()
    rows = [
        {"run": line.subject, "layer": f"Decoder {line.first + n}", "drift": value}
        for line in lines
        for n, value in enumerate(line.drift)
    ]
    table = pd.DataFrame(rows)
    return table, {line.subject: line.style for line in lines}, table["layer"].nunique()


def _layers(options: Options, value: str) -> Shown:
    table, styles, layers = layer_changes()
    chart(
        fit(figures.layer_distances_chart(table, styles), CHART_HEIGHT),
        key="learn.layers",
        name="story-layers",
        alt=figures.layer_distances_alt(table, styles),
        table=table,
    )
    names = {style.name: run for run, style in styles.items()}
    largest = {name: table[table["run"] == run]["drift"].max() for name, run in names.items()}
    prefix = max(value for name, value in largest.items() if "prefix" in name.lower())
    holds = "rounding" if prefix < ROUNDING_TOLERANCE else "more than rounding"
    return Shown(
        f"Over {layers} layers prefixes change the renormalised attention by at most "
        f"{prefix:.0e}, which is {holds}; LoRA by up to {largest['LoRA']:.2g}.",
        "smollm2-135m, one example of ComVE, seed 0, each layer alone, single precision. "
        "`python -m peftcore ship real-runs`",
    )


@st.cache_data(max_entries=1, show_spinner=False)
def _toy_rows() -> list[results.ResultRow]:
    recipe = find_recipe(TOY_RECIPE, "cpu")
    return list(results.result_rows(results.shipped_folder(), recipe, results.SHIPPED_SEEDS))


def _toy_scores(options: Options, value: str) -> Shown:
    rows = _toy_rows()
    figure = toy_figures.exact_match_heatmap(rows)
    figure.update_layout(title={"text": "Answers right in every digit (%)"})
    chart(
        fit(figure, CHART_HEIGHT),
        key="learn.toys",
        name="story-toys",
        alt=toy_figures.exact_match_heatmap_alt(rows),
        table=toy_figures.exact_match_table(rows),
    )
    cells = {(row.adaptation, row.task): row for row in rows}

    def score(adaptation: str) -> str:
        """Return the exact match of an adaptation on the new task."""
        return f"{cells[adaptation, 'descending'].mean:.1f} %"

    return Shown(
        f"Sorting descending: fine-tuned {score('fine-tuned: descending')} right, with a prefix "
        f"{score('prefix: descending')}.",
        f"{rows[0].model}; {len(rows[0].seeds)} seeds, exact match. "
        "`python -m peftcore ship toys 01`",
    )


def _toy_knob(options: Options) -> Knob:
    values = [row.digits for row in recordings.toy_answers()]
    return Knob("Digits to sort", values, values[0])


def _toy_digits(options: Options, value: str) -> Shown:
    row = next(each for each in recordings.toy_answers() if each.digits == value)
    lines: list[dict[str, Any]] = []
    for adaptation, answer in row.answers.items():
        task = next(
            (TASKS[name] for name, right in row.right.items() if right == answer), "neither"
        )
        lines.append(
            {
                "model": toy_figures.adaptation_title(adaptation),
                "answers": " ".join(answer),
                "that is": task,
            }
        )
    st.markdown(f"### {' '.join(row.digits)} → ?")
    st.dataframe(
        pd.DataFrame(lines),
        hide_index=True,
        height="content",
        alt=f"Answers of every tiny transformer to {row.digits}",
    )
    wrong = [each["model"] for each in lines if each["that is"] == "neither"]
    return Shown(
        f"Neither order: {'; '.join(wrong)}."
        if wrong
        else "Every model gave one of the two orders.",
        "First seed of each; sequences that training never saw. `python -m peftcore ship stories`",
    )


PICTURES = {
    "attention_row": Picture(_row, frozenset({"modes", "queries"}), _query_knob),
    "attention_patterns": Picture(_head_patterns, knob=_whole_prefix_knob),
    "output_plane": Picture(_output_plane, knob=_length_knob),
    "layers_changed": Picture(_layers),
    "toy_scores": Picture(_toy_scores),
    "toy_answers": Picture(_toy_digits, knob=_toy_knob),
}
