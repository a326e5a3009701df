"""Landscapes: losses over a face or a plane from above, and along cuts through it.

Tables come from `peftcore.labs.landscape.request`: one row per point with x, y, t, line, mark,
loss and score.
Facts are what the figure must say of itself: examples, seed, data, normalisation, arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure
from app.figures.theme import EXTRA_COLOURS, NEUTRAL, SYMBOLS, TEMPLATE, plotly_text
from peftcore.analysis import simplex

ASK = "click to ask this adapter"  # what a click on a point does, unless the facts say otherwise
COLOUR_SCALE = "Cividis"
BEST_COLOUR = "#CC0049"  # the lowest point
LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#7B3FE4", *EXTRA_COLOURS)
RASTER_SIZE = 111  # of the picture that is drawn between the points
SPLIT_NAMES = {
    "dev": "validation sample",
    "train": "training sample",
    "validation": "validation split",
    "test": "test split",
    "general": "general text",
}


def value_title(value: str, facts: Mapping[str, Any]) -> str:
    """Return the title of the loss, or of the task's own metric."""
    if value == "loss":
        return "Loss (nats)"
    return find_measure(str(facts.get("metric", "score"))).title


def facts_text(facts: Mapping[str, Any]) -> str:
    """The facts a reader needs to judge the picture, as one line."""
    seed = facts.get("seed")
    parts = [
        f"n = {facts.get('n')} examples, {SPLIT_NAMES.get(str(facts.get('split')), '')}",
        f"seed {seed}" if "seeds" not in facts else f"{len(facts['seeds'])} seeds",
        f"data {str(facts['data_hash'])[:8]}" if "data_hash" in facts else "",
        str(facts.get("arithmetic", "")),
    ]
    if facts.get("normalisation"):
        words = {"filter": "normalised by vector", "tensor": "normalised by tensor"}
        parts.append(words.get(str(facts["normalisation"]), "not normalised"))
    return ", ".join(part for part in parts if part)


def title_with_facts(figure: go.Figure, title: str, facts: Mapping[str, Any]) -> None:
    """Title the figure, with its facts below."""
    figure.update_layout(
        title={
            "text": f"{plotly_text(title)}<br><sup>{plotly_text(facts_text(facts))}</sup>",
            "x": 0,
        }
    )


def value_limits(tables: Sequence[pd.DataFrame], value: str) -> tuple[float, float] | None:
    """Lowest and highest value of several pictures, so that they share one scale."""
    columns = [table[value].dropna() for table in tables]
    columns = [each for each in columns if len(each)]
    if not columns:
        return None
    return float(min(each.min() for each in columns)), float(max(each.max() for each in columns))


def surface_map(
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    value: str = "loss",
    scale: tuple[float, float] | None = None,
    title: str = "",
) -> go.Figure:
    """Values over a face or a plane from above, with its marks; every point can be clicked."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 480})
    points = table.dropna(subset=["x", "y"])
    measured = points.dropna(subset=[value])
    x, y, z = simplex.raster(
        measured[["x", "y"]].to_numpy(), measured[value].to_numpy(), RASTER_SIZE
    )
    if z.size:
        limits = scale or value_limits([measured], value) or (0.0, 1.0)
        _add_raster(figure, (x, y, z.astype(np.float32)), limits, value_title(value, facts))
    if "corners" in facts:
        _add_outline(figure)
    _add_sampled_points(figure, facts)
    _add_paths(figure, points)
    _add_marks(figure, points, value)
    _add_best_point(figure, measured, value, facts)
    _add_click_targets(figure, measured, value, facts)
    axes = facts.get("axes", ["", ""])
    axis_options: dict[str, Any] = {"visible": "corners" not in facts, "showgrid": False}
    axis_options["constrain"] = "domain"  # where proportions are true, axes end with the picture
    figure.update_xaxes(title_text=plotly_text(axes[0]), **axis_options)
    figure.update_yaxes(
        title_text=plotly_text(axes[1]),
        **axis_options,
        **({"scaleanchor": "x"} if _true_proportions_fit(points) else {}),
    )
    figure.update_layout(clickmode="event+select", hoverdistance=28)
    title_with_facts(figure, title or value_title(value, facts), facts)
    return figure


def _add_raster(
    figure: go.Figure,
    raster: tuple[np.ndarray, np.ndarray, np.ndarray],
    limits: tuple[float, float],
    title: str,
) -> None:
    """Add colours and contours of a raster x (x,), y (y,), z (y, x) between the limits."""
    x, y, z = raster
    scale = {"zmin": limits[0], "zmax": limits[1], "hoverinfo": "skip"}
    figure.add_heatmap(
        x=x,
        y=y,
        z=z,
        colorscale=COLOUR_SCALE,
        zsmooth="fast",
        colorbar={"title": {"text": title, "side": "right"}, "len": 0.9},
        **scale,
    )
    # Contours could carry colours, too, but would work them out for every pixel of the screen;
    # every second line is enough for them, since they guess all that is missing at the rim.
    figure.add_contour(
        x=x[::2],
        y=y[::2],
        z=z[::2, ::2],
        ncontours=18,
        contours={"coloring": "none"},
        line={"width": 0.6, "color": "rgba(255,255,255,0.55)"},
        showscale=False,
        showlegend=False,
        **scale,
    )


def _true_proportions_fit(points: pd.DataFrame) -> bool:
    """Return whether true proportions leave both sides wide enough to be read."""
    wide, high = np.ptp(points["x"]), np.ptp(points["y"])
    return bool(high > 0 and 1 / 4 < wide / high < 4)


def _add_outline(figure: go.Figure) -> None:
    """Add the border of the triangle."""
    corners = simplex.triangle_coords(np.eye(3))[[0, 1, 2, 0]]
    figure.add_scatter(
        x=corners[:, 0],
        y=corners[:, 1],
        mode="lines",
        line={"color": NEUTRAL, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _add_sampled_points(figure: go.Figure, facts: Mapping[str, Any]) -> None:
    """Add the points of the simplex that training sampled."""
    points = facts.get("sampled") or []
    if points:
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="markers",
            marker={
                "size": 6,
                "color": "rgba(255,255,255,0.85)",
                "line": {"color": "#1B2430", "width": 1},
            },
            hoverinfo="skip",
            name="Points validation drew, first copy at the kept step",
        )


def _add_paths(figure: go.Figure, points: pd.DataFrame) -> None:
    """A training path, or ways between two adapters, as lines on the plane."""
    for line, dash in (("path", "solid"), ("straight", "dash"), ("curved", "solid")):
        rows = points[points["line"] == line].sort_values("t")
        if len(rows) > 1:
            figure.add_scatter(
                x=rows["x"],
                y=rows["y"],
                mode="lines+markers" if line == "path" else "lines",
                marker={"size": 5, "color": "#FFFFFF"},
                line={"color": "#FFFFFF", "width": 2, "dash": dash},
                name={"path": "Training path", "straight": "Straight way"}.get(line, "Curve"),
                hoverinfo="skip",
                showlegend=False,
            )


def named_points(points: pd.DataFrame) -> pd.DataFrame:
    """The points with a name; of a long path only its ends, for its steps would hide each other."""
    rows = points[points["mark"] != ""]
    steps = rows[rows["line"] == "path"]
    return pd.concat([steps.iloc[[0]], steps.iloc[[-1]]]) if len(steps) > 4 else rows


def _add_marks(figure: go.Figure, points: pd.DataFrame, value: str) -> None:
    """Add the named points with their labels."""
    rows = named_points(points)
    if rows.empty:
        return
    figure.add_scatter(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        marker={
            "size": 12,
            "symbol": ["diamond" if mark[:1] == "c" else "circle" for mark in rows["mark"]],
            "color": "#FFFFFF",
            "line": {"color": "#1B2430", "width": 2},
        },
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    mean_y = points["y"].mean()
    # Names of points at one height stand above and below in turn, so that they find room.
    names = rows.drop_duplicates(["x", "y", "mark"]).sort_values("x")
    level = len(names) == 2 and names["y"].max() - names["y"].min() < 0.1 * np.ptp(points["y"])
    for number, (_, row) in enumerate(names.iterrows()):  # with a background, on light and dark
        above = number % 2 == 0 if level else row["y"] > mean_y
        figure.add_annotation(
            x=row["x"],
            y=row["y"],
            yshift=19 if above else -19,
            text=plotly_text(row["mark"]),
            showarrow=False,
            bgcolor="rgba(255,255,255,0.85)",
            font={"size": 12, "color": "#1B2430"},
            borderpad=2,
        )


def best_point(
    measured: pd.DataFrame, value: str, facts: Mapping[str, Any]
) -> tuple[int, str] | None:
    """The row of the lowest loss, or of the best score, and what it is called."""
    higher_is_better = value != "loss" and find_measure(str(facts.get("metric"))).better == "higher"
    row = simplex.lowest_row(measured, value, highest=higher_is_better)
    if row is None:
        return None
    return (
        row,
        f"{'Highest' if higher_is_better else 'Lowest'} point, {measured.loc[row, value]:.3f}",
    )


def _add_best_point(
    figure: go.Figure, measured: pd.DataFrame, value: str, facts: Mapping[str, Any]
) -> None:
    """Mark the lowest loss or the highest score."""
    best_row = best_point(measured, value, facts)
    if best_row is None:
        return
    row_index, name = best_row
    row = measured.loc[row_index]
    figure.add_scatter(
        x=[row["x"]],
        y=[row["y"]],
        mode="markers",
        marker={
            "size": 15,
            "symbol": "star",
            "color": BEST_COLOUR,
            "line": {"color": "#FFFFFF", "width": 1.5},
        },
        name=name,
        hoverinfo="skip",
    )


def _add_click_targets(
    figure: go.Figure, measured: pd.DataFrame, value: str, facts: Mapping[str, Any]
) -> None:
    """An almost invisible marker on every point: contours themselves report no clicks."""
    name = value_title(value, facts)
    figure.add_scatter(
        x=measured["x"],
        y=measured["y"],
        mode="markers",
        marker={"size": 16, "opacity": 0.001, "color": NEUTRAL, "maxdisplayed": 1},
        customdata=[[int(i)] for i in measured.index],
        text=[f"{v:.4f}" for v in measured[value]],
        hovertemplate=f"{name} %{{text}}<extra>{facts.get('click', ASK)}</extra>",
        showlegend=False,
        selected={"marker": {"opacity": 0.001}},
        unselected={"marker": {"opacity": 0.001}},
    )


def mark_chosen_point(figure: go.Figure, row: pd.Series) -> None:
    """Ring the point that was clicked."""
    figure.add_scatter(
        x=[row["x"]],
        y=[row["y"]],
        mode="markers",
        marker={"size": 18, "symbol": "circle-open", "color": BEST_COLOUR, "line": {"width": 3}},
        name="Chosen point",
        hoverinfo="skip",
    )


def surface_map_alt(table: pd.DataFrame, facts: Mapping[str, Any], value: str = "loss") -> str:
    """A landscape in words: its marks, and how low and high it goes."""
    measured = table.dropna(subset=[value])
    if measured.empty:
        return "Nothing has been measured yet."
    marks = measured[measured["mark"] != ""]
    parts = [f"{row['mark']} {row[value]:.3f}" for _, row in marks.iterrows()][:14]
    low, high = measured[value].min(), measured[value].max()
    return (
        f"{value_title(value, facts)} at {len(measured)} points, from {low:.3f} to {high:.3f}. "
        f"{'; '.join(parts)}. {facts_text(facts)}."
    )


def loss_along_lines(
    table: pd.DataFrame, facts: Mapping[str, Any], only: str = "", title: str = ""
) -> go.Figure:
    """Loss along each line, from its start at 0 to its end at 1 and a little beyond."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 440})
    rows = table.dropna(subset=["loss", "t"])
    names = [name for name in rows["line"].unique() if name and only in name]
    for nth, name in enumerate(names):
        line = rows[rows["line"] == name].sort_values("t")
        from_middle = name.startswith("centroid")
        figure.add_scatter(
            x=line["t"],
            y=line["loss"],
            mode="lines+markers",
            line={
                "color": LINE_COLOURS[nth % len(LINE_COLOURS)],
                "width": 2,
                "dash": "dash" if from_middle else "solid",
            },
            marker={"symbol": SYMBOLS[nth % len(SYMBOLS)], "size": 6},
            name=plotly_text(name[:1].upper() + name[1:]),
            hovertemplate="%{x:.2f} of the way: %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    for end in (0, 1):
        figure.add_vline(x=end, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="Share of the way from the first to the second")
    figure.update_yaxes(title_text="Loss (nats)")
    figure.update_layout(margin={"b": 8})
    title_with_facts(figure, title or "Loss along the edges", facts)
    return figure


def barrier_table(table: pd.DataFrame) -> pd.DataFrame:
    """Every line with the loss at its ends and the height of the barrier between them."""
    barrier_rows = []
    for name, line in table.dropna(subset=["loss", "t"]).groupby("line", sort=False):
        line = line.sort_values("t")
        t, losses = line["t"].to_numpy(), line["loss"].to_numpy()
        if not name or t.min() > 0 or t.max() < 1:
            continue
        first, last = (float(losses[np.abs(t - end).argmin()]) for end in (0, 1))
        barrier_rows.append((name, first, last, simplex.barrier(t, losses)))
    return pd.DataFrame(barrier_rows, columns=["Line", "Loss at start", "Loss at end", "Barrier"])


def loss_along_lines_alt(table: pd.DataFrame) -> str:
    """The cuts in words."""
    rows = barrier_table(table)
    parts = [
        f"{row['Line']}: {row['Loss at start']:.3f} to {row['Loss at end']:.3f}, "
        f"barrier {row['Barrier']:.3f}"
        for _, row in rows.iterrows()
    ]
    return f"Loss along lines. {'; '.join(parts[:12]) or 'Nothing measured yet'}."
