"""The Limits page below its choices: a verdict in words, its numbers, and one view at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from app.figures import limits as figures
from app.labs.limits import cache
from app.ui import widgets
from app.ui.charts import chart
from app.ui.run_styles import styles_by_run
from peftcore.analysis.limits import ROUNDING_TOLERANCE, HeadSummary, LayerComparison
from peftcore.errors import BadInput
from peftcore.runs.store import Run

DIFFERENCE = "In the difference, blue is attention gained and orange is attention lost."
PLACES = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross"}


@dataclass(frozen=True)
class Shown:
    """One head of one layer of a run, and another run beside it."""

    run: Run
    other: Run | None
    asked: cache.Asked
    place: str
    path: str
    layer: int
    head: int
    found: LayerComparison
    queries: list[str]
    keys: list[str]

    @property
    def numbers(self) -> HeadSummary:
        """The head in numbers."""
        return self.found.summarize_head(self.head)

    @property
    def file(self) -> str:
        """Start of the names of saved files."""
        return f"limits-{self.run.id}-{self.place}-{self.layer + 1}-head-{self.head + 1}"


def verdict(shown: Shown) -> None:
    """One sentence for this head, one for the other run, and what they are about."""
    names = styles_by_run([shown.run, *([shown.other] if shown.other else [])])
    said = shown.numbers.verdict()
    icon = "check_circle" if shown.numbers.keeps_order else "shuffle"
    st.markdown(
        f":material/{icon}: **{widgets.escape_markdown(names[shown.run.id].name)}.** "
        f"{widgets.escape_markdown(said)}"
    )
    if shown.other:
        theirs = beside(shown, shown.other)[shown.path].summarize_head(shown.head)
        icon = "check_circle" if theirs.keeps_order else "shuffle"
        st.markdown(
            f":material/{icon}: **{widgets.escape_markdown(names[shown.other.id].name)}.** "
            f"{widgets.escape_markdown(theirs.verdict())}"
        )
    st.caption(_why(shown))


def beside(shown: Shown, run: Run, paths: tuple[str, ...] = ()) -> dict[str, LayerComparison]:
    """The same layers of another run; its own prefix, if it has one, is used whole."""
    seed = min(shown.asked.seed, run.spec.population.seeds - 1)
    asked = replace(shown.asked, seed=seed, length=None)
    return cache.layers(run, paths or (shown.path,), asked, "fp32")


def _why(shown: Shown) -> str:
    """What explains the verdict, given the switches."""
    if not cache.has_prefix(shown.run):
        return (
            "This adapter changes weights. Where it changes queries or keys, attention among the "
            "content can take any pattern; where it does not, the pattern stays the base's."
        )
    if shown.asked.naive and not shown.numbers.keeps_order:
        return (
            "The order moved because the prefix pushed the content to other positions, which this "
            "model adds to its inputs: the two passes read different inputs. The theory compares "
            "the same inputs; switch to controlled positions to see it hold."
        )
    if shown.asked.naive:
        return (
            "Positions make no difference here: this model only knows how far apart two tokens "
            "are, so moving all of them by the same amount changes nothing, or this layer has no "
            "positions to move."
        )
    if not shown.asked.alone and not shown.numbers.keeps_order:
        return (
            "The order moved because the layers below, which wear the prefix too, hand this layer "
            "other inputs. The theory is about one layer on the same inputs: switch to this layer "
            "alone to see it hold."
        )
    if not shown.numbers.keeps_order:
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


def precision(shown: Shown) -> None:
    """The largest departures from the theory, in three kinds of arithmetic."""
    for column, (name, title) in zip(st.columns(3), cache.PRECISIONS.items(), strict=True):
        one = cache.layers(shown.run, (shown.path,), shown.asked, name)[shown.path]
        head = one.summarize_head(shown.head)
        column.metric(
            f"Residual, {title.lower()}",
            f"{head.residual:.1e}",
            help=f"Pattern {head.pattern_error:.1e}, output {head.output_error:.1e}. The largest "
            "departure from: content attention times (1 − share), and output times (1 − share) "
            "plus the prefix values weighted by attention. Nothing but rounding should be left.",
            border=True,
        )


def pattern(shown: Shown) -> None:
    """Attention among the content, before, after, renormalised."""
    worn = "With the prefix" if shown.found.length else "With the adapter"
    chart(
        figures.patterns(shown.found, shown.head, shown.queries, shown.keys, worn),
        key="limits.pattern",
        name=f"{shown.file}-pattern",
        alt=figures.patterns_alt(shown.found, shown.head),
        table=lambda: figures.patterns_table(shown.found, shown.head, shown.queries, shown.keys),
    )
    if shown.found.length:
        st.caption(
            "P1, P2, … are prefix positions. The third picture is the second without them, every "
            "row brought back to a sum of one; it must equal the first."
        )
    else:
        st.caption(DIFFERENCE)
    if shown.other:
        found = beside(shown, shown.other)[shown.path]
        name = styles_by_run([shown.run, shown.other])[shown.other.id].name
        chart(
            figures.patterns(found, shown.head, shown.queries, shown.keys, f"With {name}"),
            key="limits.pattern.other",
            name=f"{shown.file}-pattern-{shown.other.id}",
            alt=figures.patterns_alt(found, shown.head),
            table=lambda: figures.patterns_table(found, shown.head, shown.queries, shown.keys),
        )
        if not found.length:
            st.caption(DIFFERENCE)


def share(shown: Shown) -> None:
    """What each query gives to the prefix."""
    if not shown.found.length:
        st.info("This adapter has no prefix, so all attention stays on the content.")
        return
    table = pd.DataFrame(
        {"query": shown.queries} | {f"head {n + 1}": s for n, s in enumerate(shown.found.share)}
    )
    chart(
        figures.share(shown.found, shown.head, shown.queries),
        key="limits.share",
        name=f"{shown.file}-share",
        alt=figures.share_alt(shown.found, shown.head),
        table=table,
    )


def bias(shown: Shown) -> None:
    """The bias in a plane, and how many directions it uses."""
    values = shown.found.projection(shown.head)
    table = pd.DataFrame(
        {
            "query": shown.queries,
            **{
                f"{name} {axis}": getattr(values, name)[:, n]
                for name in ("before", "scaled", "after")
                for n, axis in enumerate(("across", "up"))
            },
        }
    )
    left, right = st.columns([3, 2])
    with left:
        chart(
            figures.bias(shown.found, shown.head, shown.queries),
            key="limits.bias",
            name=f"{shown.file}-bias",
            alt=figures.bias_alt(shown.found, shown.head),
            table=table,
        )
    with right:
        singular = shown.found.singular_values(shown.head)
        chart(
            figures.directions(shown.found, shown.head),
            key="limits.directions",
            name=f"{shown.file}-directions",
            alt=figures.directions_alt(shown.found, shown.head),
            table=pd.DataFrame({"direction": range(1, len(singular) + 1), "value": singular}),
        )
    here = shown.numbers
    st.caption(
        f"Mean length of the bias {here.bias_norm:.3g}, of the old outputs {here.output_norm:.3g}; "
        f"{here.rank} singular values are above rounding. One prefix position can only add along "
        "one line, with a strength that depends on the query; several can add anything in the span "
        "of their values, of which trained prefixes need not use all."
    )


def everywhere(shown: Shown) -> None:
    """The distance of every layer of the run and of the one beside it, on one scale."""
    rows = []
    sites = cache.sites(shown.run.spec.base)
    runs = [shown.run, *([shown.other] if shown.other else [])]
    for run in runs:
        own = run.id == shown.run.id
        paths = tuple(site.path for site in sites)
        found = cache.layers(run, paths, shown.asked, "fp32") if own else beside(shown, run, paths)
        rows += [
            {
                "run": run.id,
                "layer": f"{PLACES[site.attention_kind]} {site.layer + 1}",
                "drift": found[site.path].content_drift,
                "residual": found[site.path].residual,
                "share": float(found[site.path].share.mean()),
            }
            for site in sites
        ]
    table, names = pd.DataFrame(rows), styles_by_run(runs)
    chart(
        figures.distances(table, names),
        key="limits.distances",
        name=f"limits-{shown.run.id}-layers",
        alt=figures.distances_alt(table, names),
        table=table.assign(run=[names[run].name for run in table["run"]]),
    )
    st.caption(
        f"One input, one seed, the largest change over all heads. Below {ROUNDING_TOLERANCE:g} "
        "only rounding "
        "is left. Layers that an adapter leaves alone stand at the bottom."
    )


VIEWS: dict[str, Callable[[Shown], None]] = {
    "Pattern": pattern,
    "Share": share,
    "Bias": bias,
    "All layers": everywhere,
}


def shown_head(
    run: Run, other: Run | None, asked: cache.Asked, place: str, layer: int, head: int
) -> Shown:
    """One head, measured; BadInput if the model has no such layer."""
    known: dict[tuple[str, int], str] = {
        (site.attention_kind, site.layer): site.path for site in cache.sites(run.spec.base)
    }
    if (place, layer) not in known:
        raise BadInput(f"{run.spec.base} has no layer {layer + 1} in its {place} attention")
    path = known[place, layer]
    found = cache.layers(run, (path,), asked, "fp32")[path]
    words = cache.words(run.spec.base, asked.example, place)
    return Shown(run, other, asked, place, path, layer, head, found, *words)
