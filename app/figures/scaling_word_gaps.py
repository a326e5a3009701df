"""How far soft tokens are from words: measures of the gap, and a plane with both on it.

Arrays come from `peftcore.labs.scaling.readout` and `peftcore.analysis.scaling`;
tokens count from one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures.rows import wrap_title
from app.figures.scaling import (
    AFTER_COLOUR,
    BEFORE_COLOUR,
    add_segment,
    blank_chart,
    seeds_in_words,
    with_title,
)
from app.figures.theme import NEUTRAL, TEMPLATE, method_colour, plotly_text, with_opacity
from peftcore.analysis import scaling

COLUMNS, TITLE_CHARACTERS = 3, 13  # of panels, so that a phone has room for their titles
PLANE_MARGIN = 0.15  # around the words, as a share of their extent


def word_gap_panels(
    seed_gaps: Sequence[tuple[int, scaling.RepresentationGap, scaling.RepresentationGap]],
) -> go.Figure:
    """A panel per measure: each seed from without its scales to with them.

    Bands are where 95 % of random exchanges of rows between prompt and words lie.
    """
    titles = [wrap_title(plotly_text(m.title), TITLE_CHARACTERS) for m in scaling.MEASURES.values()]
    figure = make_subplots(
        rows=-(-len(titles) // COLUMNS),
        cols=COLUMNS,
        horizontal_spacing=0.1,
        vertical_spacing=0.26,
        subplot_titles=titles,
    )
    figure.update_layout(template=TEMPLATE, height=450, showlegend=False, margin={"r": 40})
    for number, (name, measure) in enumerate(scaling.MEASURES.items()):
        row, col = number // COLUMNS + 1, number % COLUMNS + 1
        figure.add_scatter(  # not a shape, so that it is always within the panel
            x=[-0.4, 1.4],
            y=[measure.value_if_equal] * 2,
            mode="lines",
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
            hovertemplate=f"equal samples: {measure.value_if_equal:g}<extra></extra>",
            row=row,
            col=col,
        )
        for seed, before, after in seed_gaps:
            values = [measure.value(before), measure.value(after)]
            figure.add_scatter(
                x=[0, 1],
                y=values,
                mode="lines+markers",
                line={"color": with_opacity(NEUTRAL, 0.7), "width": 1.5},
                marker={
                    "color": [BEFORE_COLOUR, AFTER_COLOUR],
                    "symbol": ["circle-open", "diamond"],
                    "size": 9,
                },
                hovertemplate=f"seed {seed}: %{{y:.4g}}<extra>{plotly_text(measure.title)}</extra>",
                row=row,
                col=col,
            )
        if name in ("energy", "kernel"):
            permutations = [getattr(gap, name) for _, *pair in seed_gaps for gap in pair]
            figure.add_hrect(
                y0=min(each.low for each in permutations),
                y1=max(each.high for each in permutations),
                fillcolor=with_opacity(NEUTRAL, 0.25),
                line_width=0,
                layer="below",
                row=row,
                col=col,
            )
    figure.update_xaxes(
        tickvals=[0, 1], ticktext=["without", "scaled"], range=[-0.4, 1.4], showgrid=False
    )
    figure.update_annotations(font={"size": 12})
    figure.update_layout(margin={"t": 84})
    return with_title(figure, f"Soft tokens against words, {seeds_in_words(len(seed_gaps))}")


def word_gap_alt(
    seed_gaps: Sequence[tuple[int, scaling.RepresentationGap, scaling.RepresentationGap]],
) -> str:
    """The gap in words: means over seeds, before and after."""
    parts = [
        f"{measure.title} {np.mean([measure.value(b) for _, b, _ in seed_gaps]):.3g} without "
        "scales, "
        f"{np.mean([measure.value(a) for _, _, a in seed_gaps]):.3g} with them"
        for measure in scaling.MEASURES.values()
    ]
    return f"Soft tokens against words in the data, means over seeds. {'; '.join(parts)}."


def word_gap_table(
    seed_gaps: Sequence[tuple[int, scaling.RepresentationGap, scaling.RepresentationGap]],
) -> pd.DataFrame:
    """The gap as rows: seed, measure, without and with scales, and what chance would give."""
    rows = []
    for seed, before, after in seed_gaps:
        for name, measure in scaling.MEASURES.items():
            row: dict[str, Any] = {"seed": seed, "measure": measure.title}
            row |= {"without scales": measure.value(before), "scaled": measure.value(after)}
            chance = getattr(after, name)
            exchanged = isinstance(chance, scaling.PermutationResult)
            row |= {
                "chance low": chance.low if exchanged else None,
                "chance high": chance.high if exchanged else None,
                "p scaled": chance.p if exchanged else None,
            }
            rows.append(row)
    return pd.DataFrame(rows)


PLANE_MARKERS: dict[str, dict[str, Any]] = {
    "Other words": {"color": with_opacity(NEUTRAL, 0.5), "size": 5},
    "Words in the data": {"color": method_colour("prefix_tuning"), "size": 6, "opacity": 0.65},
    "Soft tokens without scale": {
        "color": BEFORE_COLOUR,
        "size": 9,
        "symbol": "circle-open",
        "line": {"width": 2},
    },
    "Scaled soft tokens": {"color": AFTER_COLOUR, "size": 9, "symbol": "diamond"},
}


def word_plane(
    words: np.ndarray,
    named: Sequence[str],
    others: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    near: bool = False,
) -> go.Figure:
    """The plane in which these rows vary most, with a line from each token to its scaled self.

    words are those in the data, others a sample of the rest of the vocabulary; near looks at them
    alone, since tokens can lie so far away that all words fall on one spot.
    """
    plane = scaling.principal_plane(np.concatenate([words, others, before, after]))
    figure = blank_chart(560, legend=True)
    start, end = plane.project(before), plane.project(after)
    for one, other in zip(start, end, strict=True):
        add_segment(figure, [one[0], other[0]], [one[1], other[1]])
    number = [str(token) for token in range(1, len(before) + 1)]
    groups = (plane.project(others), plane.project(words), start, end)
    names = ([""] * len(others), [plotly_text(name) for name in named], number, number)
    for rows, labels, (name, marker) in zip(groups, names, PLANE_MARKERS.items(), strict=True):
        figure.add_scatter(
            x=rows[:, 0],
            y=rows[:, 1],
            mode="markers",
            marker=marker,
            name=name,
            showlegend=True,
            customdata=labels,
            hovertemplate=f"{name} %{{customdata}}<extra></extra>",
        )
    first, second = (f"{100 * share:.0f} % of variance" for share in plane.shares)
    figure.update_xaxes(title_text=f"First principal axis ({first})")
    figure.update_yaxes(title_text=f"Second principal axis ({second})", scaleanchor="x")
    if near:
        spots = plane.project(np.concatenate([words, others]))
        edge = PLANE_MARGIN * np.ptp(spots, axis=0) + 1e-9
        (left, bottom), (right, top) = spots.min(0) - edge, spots.max(0) + edge
        figure.update_xaxes(range=[left, right])
        figure.update_yaxes(range=[bottom, top])
    return with_title(figure, f"{len(before)} soft tokens and {len(words) + len(others):,} words")


def word_plane_alt(words: np.ndarray, before: np.ndarray, after: np.ndarray) -> str:
    """The plane in words: distances of the means that it shows."""
    one, other = (scaling.mean_distance(rows, words) for rows in (before, after))
    return (
        f"Soft tokens and {len(words)} words in two dimensions. The mean of the soft tokens is "
        f"{one:.3g} from the mean word without scales, {other:.3g} with them."
    )


def word_plane_table(
    words: np.ndarray,
    named: Sequence[str],
    others: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
) -> pd.DataFrame:
    """Places in the plane: kind, name, first, second."""
    plane = scaling.principal_plane(np.concatenate([words, others, before, after]))
    numbered = [f"token {token}" for token in range(1, len(before) + 1)]
    parts = [
        ("word in the data", words, named),
        ("other word", others, [""] * len(others)),
        ("without scale", before, numbered),
        ("scaled", after, numbered),
    ]
    return pd.concat(
        [
            pd.DataFrame(plane.project(rows), columns=["first", "second"]).assign(
                kind=kind, name=names
            )
            for kind, rows, names in parts
        ],
        ignore_index=True,
    )
