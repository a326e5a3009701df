"""The Limits page below its choices: a verdict in words, its numbers, and one view at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import limits as figures
from app.labs.attention.primer import show_primer
from app.labs.limits import cache, findings
from app.labs.limits.cache import LAB
from app.state import wait_for_imports
from app.ui import widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.run_styles import styles_by_run
from peftcore.analysis.limits import ROUNDING_TOLERANCE, HeadSummary, LayerComparison
from peftcore.errors import BadInput
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PRECISION_COST = 8.0  # times single precision, for both others together with their conversion
DIFFERENCE_READING = (
    "Each row is a token that looks, each column one that is looked at. In the difference, blue is "
    "attention gained and orange is attention lost, on a scale of its own."
)
PREFIX_READING = (
    "Each row is a token that looks, each column one that is looked at; green columns P1, P2, … "
    "are the prefix. The third picture is the second without them, every row brought back to a "
    "sum of one: it must equal the first."
)
FORMULA = (
    "attention′ = (1 − *s*) · attention  \noutput′ = (1 − *s*) · output + bias  \n"
    ":small[*s* is what the prefix takes of a row]"
)
ATTENTION_KINDS = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross"}


@dataclass(frozen=True)
class LimitsSubject:
    """One head of one layer of a run, and another run beside it."""

    run: Run
    other_run: Run | None
    limits_input: cache.LimitsInput
    attention_kind: str
    block_path: str
    layer: int
    head: int
    comparison: LayerComparison
    query_texts: list[str]
    key_texts: list[str]

    @property
    def summary(self) -> HeadSummary:
        """The head in numbers."""
        return self.comparison.summarize_head(self.head)

    @property
    def file_stem(self) -> str:
        """Start of the names of saved files."""
        return f"limits-{self.run.id}-{self.attention_kind}-{self.layer + 1}-head-{self.head + 1}"


def show_finding(frame: Frame, subject: LimitsSubject) -> None:
    """One sentence for this head and the other run, and beside the picture what it rests on."""
    runs = [subject.run, *([subject.other_run] if subject.other_run else [])]
    styles = styles_by_run(runs)
    summaries = [subject.summary]
    if subject.other_run:
        other = compare_other_run(subject, subject.other_run)[subject.block_path]
        summaries.append(other.summarize_head(subject.head))
    sentences = [
        findings.head_finding(styles[run.id].name, summary)
        for run, summary in zip(runs, summaries, strict=True)
    ]
    frame.say(" ".join(sentences), findings.guard(subject.comparison, subject.summary))
    with frame.side:
        for run, summary in zip(runs, summaries, strict=True):
            icon = "check_circle" if summary.keeps_order else "shuffle"
            st.markdown(
                f":material/{icon}: **{widgets.escape_markdown(styles[run.id].name)}.** "
                f"{widgets.escape_markdown(summary.verdict())}"
            )
        st.caption(_explain_verdict(subject))


def input_of_other(subject: LimitsSubject, run: Run) -> cache.LimitsInput:
    """What another run is asked: its own prefix, if it has one, is used whole."""
    seed = min(subject.limits_input.seed, run.spec.population.seeds - 1)
    return replace(subject.limits_input, seed=seed, prefix_length=None)


def compare_other_run(subject: LimitsSubject, run: Run) -> dict[str, LayerComparison]:
    """The same layer of another run."""
    other = input_of_other(subject, run)
    return cache.compare_layers(run, (subject.block_path,), other, beside=subject.run)


def _explain_verdict(subject: LimitsSubject) -> str:
    """Explain the verdict, given the switches."""
    if not cache.has_prefix(subject.run):
        return (
            "This adapter changes weights. Where it changes queries or keys, attention among the "
            "content can take any pattern; where it does not, the pattern stays the base's."
        )
    if subject.limits_input.shift_positions and not subject.summary.keeps_order:
        return (
            "The order moved because the prefix pushed the content to other positions, which this "
            "model adds to its inputs: the two passes read different inputs. The theory compares "
            "the same inputs; switch to controlled positions to see it hold."
        )
    if subject.limits_input.shift_positions:
        return (
            "Positions make no difference here: this model only knows how far apart two tokens "
            "are, so moving all of them by the same amount changes nothing, or this layer has no "
            "positions to move."
        )
    if not subject.limits_input.single_layer and not subject.summary.keeps_order:
        return (
            "The order moved because the layers below, which have the prefix too, hand this layer "
            "other inputs. The theory is about one layer on the same inputs: switch to this layer "
            "alone to see it hold."
        )
    if not subject.summary.keeps_order:
        return (
            "The order moved, which the theory does not allow for one layer on the same inputs: "
            "this would be an error of ours."
        )
    return (
        "The exact statement is about one attention layer on the same inputs: a prefix scales "
        "attention among the content and adds a bias to the output. It makes prefixes potentially "
        "less expressive than changed weights; that they may not be able to learn some tasks is "
        "an observation, which the Toys page repeats."
    )


def show_precision(subject: LimitsSubject) -> None:
    """The largest departures from the theory, in three kinds of arithmetic, as small marks.

    A large base is copied for two of them, so those are measured when they are asked for.
    """
    run, titles = subject.run, cache.PRECISION_TITLES
    if wait_for_imports.is_waiting(LAB) or not (
        cache.is_small(run.spec.base)
        or _asked_for(
            subject,
            "precision",
            "Measure in double and half precision, too",
            PRECISION_COST * cache.seconds_of_layer(run, subject.block_path, subject.limits_input),
        )
    ):
        titles = {"fp32": titles["fp32"]}
    residuals = {}
    for name, title in titles.items():
        comparison = cache.compare_layers(
            subject.run, (subject.block_path,), subject.limits_input, name
        )[subject.block_path]
        residuals[title] = (
            comparison.summarize_head(subject.head).residual,
            cache.ROUNDING[name],
        )
    st.caption(findings.residuals_line(residuals))


def _asked_for(subject: LimitsSubject, what: str, label: str, seconds: float) -> bool:
    """Return whether something slow was asked for on this subject; offer it, with its cost, if not.

    It stays asked for while run and input are the same.
    """
    key = f"limits.asked.{what}.{subject.run.id}.{hash(subject.limits_input)}"
    if st.session_state.get(key):
        return True
    place = st.empty()
    with place.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(label, key=f"limits.ask.{what}", icon=":material/play_arrow:")
        st.caption(f"About {widgets.format_duration(max(1.0, seconds))}")
    if pressed:
        st.session_state[key] = True
        place.empty()
    return pressed


def show_pattern(frame: Frame, subject: LimitsSubject) -> None:
    """Attention among the content, before, after, renormalised; the other run below it."""
    has_prefix = bool(subject.comparison.length)
    frame.explain(PREFIX_READING if has_prefix else DIFFERENCE_READING)
    with frame.side:
        if has_prefix:
            st.markdown(FORMULA)
        show_primer(LAB)
    with frame.picture:
        title = "With the prefix" if has_prefix else "With the adapter"
        _show_heatmaps(subject, subject.comparison, title, "limits.pattern").caption(
            findings.quiet_line(subject.run, subject.limits_input, len(subject.query_texts))
        )
        if subject.other_run:
            comparison = compare_other_run(subject, subject.other_run)[subject.block_path]
            name = styles_by_run([subject.run, subject.other_run])[subject.other_run.id].name
            place = _show_heatmaps(subject, comparison, f"With {name}", "limits.pattern.other")
            if not comparison.length:
                place.caption(DIFFERENCE_READING)


def _show_heatmaps(
    subject: LimitsSubject, comparison: LayerComparison, title: str, key: str
) -> DeltaGenerator:
    """Three pictures of one head; returns the place of the quiet line."""
    texts = (subject.query_texts, subject.key_texts)
    return picture(
        figures.pattern_heatmaps(comparison, subject.head, *texts, title),
        key=key,
        name=f"{subject.file_stem}-{key.replace('.', '-')}",
        alt=figures.pattern_heatmaps_alt(comparison, subject.head),
        table=lambda: figures.pattern_table(comparison, subject.head, *texts),
    )


def show_prefix_share(frame: Frame, subject: LimitsSubject) -> None:
    """Show the share of attention that each query gives to the prefix."""
    if not subject.comparison.length:
        with frame.picture:
            st.info("This adapter has no prefix, so all attention stays on the content.")
        return
    frame.explain(
        "A bar is what one token gives to the prefix; all that it gives to the text shrinks by the "
        "same factor, 1 − share. Small dots are the other heads of this layer."
    )
    table = pd.DataFrame(
        {"query": subject.query_texts}
        | {f"head {n + 1}": s for n, s in enumerate(subject.comparison.share)}
    )
    with frame.picture:
        picture(
            figures.prefix_share_bars(subject.comparison, subject.head, subject.query_texts),
            key="limits.share",
            name=f"{subject.file_stem}-share",
            alt=figures.prefix_share_alt(subject.comparison, subject.head),
            table=table,
        ).caption(findings.quiet_line(subject.run, subject.limits_input, len(table)))


def show_bias(frame: Frame, subject: LimitsSubject) -> None:
    """The bias in a plane, and how many directions it uses."""
    projection = subject.comparison.projection(subject.head)
    table = pd.DataFrame(
        {
            "query": subject.query_texts,
            **{
                f"{name} {axis}": getattr(projection, name)[:, n]
                for name in ("before", "scaled", "after")
                for n, axis in enumerate(("across", "up"))
            },
        }
    )
    summary = subject.summary
    frame.explain(
        "Each token's output first shrinks by 1 − share, then moves by the bias. One prefix "
        "position can only add along one line, with a strength that depends on the query; several "
        "can add anything in the span of their values."
    )
    with frame.picture:
        picture(
            figures.bias_plane(subject.comparison, subject.head, subject.query_texts),
            key="limits.bias",
            name=f"{subject.file_stem}-bias",
            alt=figures.bias_plane_alt(subject.comparison, subject.head),
            table=table,
        ).caption(
            f"Mean length of the bias {summary.bias_norm:.3g}, of the old outputs "
            f"{summary.output_norm:.3g} · "
            f"{findings.quiet_line(subject.run, subject.limits_input, len(table))}"
        )
    singular_values = subject.comparison.singular_values(subject.head)
    with frame.below:
        picture(
            figures.bias_direction_bars(subject.comparison, subject.head),
            key="limits.directions",
            name=f"{subject.file_stem}-directions",
            alt=figures.bias_direction_alt(subject.comparison, subject.head),
            table=pd.DataFrame(
                {"direction": range(1, len(singular_values) + 1), "value": singular_values}
            ),
        ).caption(f"{summary.rank} singular values are above rounding")


def show_all_layers(frame: Frame, subject: LimitsSubject) -> None:
    """The distance of every layer of the run and of the one it is compared with, on one scale."""
    frame.explain(
        f"A mark is the largest change of attention among the content over all heads of a layer; "
        f"below {ROUNDING_TOLERANCE:g} only rounding is left. Layers that an adapter leaves alone "
        "stand at the bottom."
    )
    with frame.picture:
        _show_layer_distances(subject)


def _show_layer_distances(subject: LimitsSubject) -> None:
    """Measure all layers, where they are many once that is asked for, and show them."""
    rows = []
    blocks = cache.attention_blocks(subject.run, subject.limits_input.example)
    runs = [subject.run, *([subject.other_run] if subject.other_run else [])]
    if not cache.is_small(subject.run.spec.base):
        passes = len(blocks) if subject.limits_input.single_layer else 1
        each = cache.seconds_of_layer(subject.run, subject.block_path, subject.limits_input)
        if not _asked_for(
            subject, "layers", f"Measure all {len(blocks)} layers", passes * len(runs) * each
        ):
            return
    measured = _measure_all_layers(subject, runs, [block.path for block in blocks])
    for run, comparisons in zip(runs, measured, strict=True):
        rows += [
            {
                "run": run.id,
                "layer": f"{ATTENTION_KINDS[block.attention_kind]} {block.layer + 1}",
                "drift": comparisons[block.path].content_drift,
                "residual": comparisons[block.path].residual,
                "share": float(comparisons[block.path].share.mean()),
            }
            for block in blocks
        ]
    table, styles = pd.DataFrame(rows), styles_by_run(runs)
    picture(
        figures.layer_distances_chart(table, styles),
        key="limits.distances",
        name=f"limits-{subject.run.id}-layers",
        alt=figures.layer_distances_alt(table, styles),
        table=table.assign(run=[styles[run].name for run in table["run"]]),
    ).caption(findings.quiet_line(subject.run, subject.limits_input, len(subject.query_texts)))


def _measure_all_layers(
    subject: LimitsSubject, runs: Sequence[Run], block_paths: Sequence[str]
) -> list[dict[str, LayerComparison]]:
    """Measure every layer of each run, with a bar that says how far it is."""
    total, bar = len(runs) * len(block_paths), st.empty()
    measured = []
    for index, run in enumerate(runs):

        def report(done: int, before: int = index * len(block_paths)) -> None:
            bar.progress((before + done) / total, f"{before + done} of {total} layers measured")

        own = run.id == subject.run.id
        limits_input = subject.limits_input if own else input_of_other(subject, run)
        measured.append(cache.compare_in_parts(run, block_paths, limits_input, report))
    bar.empty()
    return measured


VIEWS: dict[str, Callable[[Frame, LimitsSubject], None]] = {
    "Pattern": show_pattern,
    "Share": show_prefix_share,
    "Bias": show_bias,
    "All layers": show_all_layers,
}
RECORDED = ("Pattern", "Share", "Bias")  # views that can be shown before torch is in memory


def measure_head(
    run: Run,
    other_run: Run | None,
    limits_input: cache.LimitsInput,
    attention_kind: str,
    layer: int,
    head: int,
) -> LimitsSubject:
    """One head, measured; BadInput if the model has no such layer."""
    block_paths: dict[tuple[str, int], str] = {
        (block.attention_kind, block.layer): block.path
        for block in cache.attention_blocks(run, limits_input.example)
    }
    if (attention_kind, layer) not in block_paths:
        raise BadInput(
            f"{run.spec.base} has no layer {layer + 1} in its {attention_kind} attention"
        )
    block_path = block_paths[attention_kind, layer]
    comparison = cache.compare_layers(run, (block_path,), limits_input)[block_path]
    texts = cache.query_and_key_texts(run, limits_input.example, attention_kind)
    return LimitsSubject(
        run, other_run, limits_input, attention_kind, block_path, layer, head, comparison, *texts
    )
