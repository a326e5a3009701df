"""Landscapes: losses over a face or a plane, flat and in relief, along cuts, and in numbers.

Tables come from `peftcore.landscapes`: one row per point with x, y, t, line, mark, loss and score.
Facts are what the figure must say of itself: examples, seed, data, normalisation, arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import measure
from app.theme import NEUTRAL, OTHERS, SYMBOLS, TEMPLATE, Look, faint, text
from peftcore.analysis import simplex
from peftcore.analysis.comparison import interval
from peftcore.analysis.flatness import Agreement

SCALE = "Cividis"
BEST = "#CC0049"  # the lowest point
LINES = ("#0072B2", "#D55E00", "#009E73", "#7B3FE4", *OTHERS)
SIZE = 111  # of the picture that is drawn between the points
SPLITS = {
    "dev": "validation draw",
    "train": "training draw",
    "validation": "validation split",
    "test": "test split",
}
MEASURES: dict[str, tuple[str, str]] = {
    "loss": ("Loss", "of the adapter that is deployed, in nats"),
    "rise": ("Mean rise", "of the loss at the asked distance, over random directions"),
    "worst rise": ("Worst rise", "of the loss at the asked distance, over random directions"),
    "top eigenvalue": ("Top curvature", "largest eigenvalue of the loss's second derivative"),
    "barrier": ("Highest barrier", "rise above the straight line on an edge between vertices"),
    "variance": ("Variance", "of the loss over random points of the simplex"),
    "vertices": ("Mean of vertices", "loss of the vertices one by one, in nats"),
    "bowl": ("Vertices less centroid", "above zero where the centroid lies in a bowl"),
}


def value_title(value: str, facts: Mapping[str, Any]) -> str:
    """What is drawn: the loss, or the task's own metric."""
    if value == "loss":
        return "Loss (nats)"
    return measure(str(facts.get("metric", "score"))).title


def said(facts: Mapping[str, Any]) -> str:
    """The facts a reader needs to judge the picture, as one line."""
    seed = facts.get("seed")
    parts = [
        f"n = {facts.get('n')} examples, {SPLITS.get(str(facts.get('split')), '')}",
        f"seed {seed}" if "seeds" not in facts else f"{len(facts['seeds'])} seeds",
        f"data {str(facts.get('data_hash', ''))[:8]}",
        str(facts.get("arithmetic", "")),
    ]
    if facts.get("normalisation"):
        words = {"filter": "normalised by vector", "tensor": "normalised by tensor"}
        parts.append(words.get(str(facts["normalisation"]), "not normalised"))
    return ", ".join(part for part in parts if part)


def _titled(figure: go.Figure, title: str, facts: Mapping[str, Any]) -> None:
    figure.update_layout(title={"text": f"{text(title)}<br><sup>{text(said(facts))}</sup>", "x": 0})


def limits(tables: Sequence[pd.DataFrame], value: str) -> tuple[float, float] | None:
    """Lowest and highest value of several pictures, so that they share one scale."""
    known = [table[value].dropna() for table in tables]
    known = [each for each in known if len(each)]
    if not known:
        return None
    return float(min(each.min() for each in known)), float(max(each.max() for each in known))


def ground(
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    value: str = "loss",
    scale: tuple[float, float] | None = None,
    title: str = "",
) -> go.Figure:
    """Values over a face or a plane from above, with its marks; every point can be clicked."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 560})
    places = table.dropna(subset=["x", "y"])
    known = places.dropna(subset=[value])
    x, y, z = simplex.raster(known[["x", "y"]].to_numpy(), known[value].to_numpy(), SIZE)
    low, high = scale or limits([known], value) or (0.0, 1.0)
    if z.size:
        # Contours could carry colours, too, but would work them out for every pixel of the screen;
        # every second line is enough for them, since they guess all that is missing at the rim.
        figure.add_heatmap(
            x=x,
            y=y,
            z=z.astype(np.float32),
            zmin=low,
            zmax=high,
            colorscale=SCALE,
            zsmooth="fast",
            hoverinfo="skip",
            colorbar={"title": {"text": value_title(value, facts), "side": "right"}, "len": 0.9},
        )
        figure.add_contour(
            x=x[::2],
            y=y[::2],
            z=z[::2, ::2].astype(np.float32),
            zmin=low,
            zmax=high,
            ncontours=18,
            contours={"coloring": "none"},
            line={"width": 0.6, "color": "rgba(255,255,255,0.55)"},
            hoverinfo="skip",
            showscale=False,
            showlegend=False,
        )
    if "corners" in facts:
        _outline(figure)
    _sampled(figure, facts)
    _path(figure, places)
    _marks(figure, places, value)
    _lowest(figure, known, value, facts)
    _cells(figure, known, value, facts)
    axes = facts.get("axes", ["", ""])
    figure.update_xaxes(title_text=text(axes[0]), visible="corners" not in facts, showgrid=False)
    figure.update_yaxes(
        title_text=text(axes[1]),
        visible="corners" not in facts,
        showgrid=False,
        **({"scaleanchor": "x"} if _even(places) else {}),
    )
    figure.update_layout(
        clickmode="event+select",
        hoverdistance=28,
        legend={"orientation": "h", "y": -0.02, "yref": "paper"},
    )
    _titled(figure, title or value_title(value, facts), facts)
    return figure


def _even(places: pd.DataFrame) -> bool:
    """Whether true proportions leave both sides wide enough to be read."""
    wide, high = np.ptp(places["x"]), np.ptp(places["y"])
    return bool(high > 0 and 1 / 4 < wide / high < 4)


def _outline(figure: go.Figure) -> None:
    corners = simplex.flat(np.eye(3))[[0, 1, 2, 0]]
    figure.add_scatter(
        x=corners[:, 0],
        y=corners[:, 1],
        mode="lines",
        line={"color": NEUTRAL, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _sampled(figure: go.Figure, facts: Mapping[str, Any]) -> None:
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


def _path(figure: go.Figure, places: pd.DataFrame) -> None:
    """A training path, or ways between two adapters, as lines on the plane."""
    for line, dash in (("path", "solid"), ("straight", "dash"), ("curved", "solid")):
        rows = places[places["line"] == line].sort_values("t")
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


def _marks(figure: go.Figure, places: pd.DataFrame, value: str) -> None:
    rows = places[places["mark"] != ""]
    if (rows["line"] == "path").sum() > 4:  # a path's steps would lie on top of each other
        steps = rows[rows["line"] == "path"]
        rows = pd.concat([steps.iloc[[0]], steps.iloc[[-1]]])
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
    middle = places["y"].mean()
    for _, row in rows.iterrows():  # with a ground of their own: colours below go light and dark
        figure.add_annotation(
            x=row["x"],
            y=row["y"],
            yshift=19 if row["y"] > middle else -19,
            text=text(row["mark"]),
            showarrow=False,
            bgcolor="rgba(255,255,255,0.85)",
            font={"size": 12, "color": "#1B2430"},
            borderpad=2,
        )


def _lowest(figure: go.Figure, known: pd.DataFrame, value: str, facts: Mapping[str, Any]) -> None:
    better = value != "loss" and measure(str(facts.get("metric"))).better == "higher"
    place = simplex.lowest(known, value, highest=better)
    if place is None:
        return
    row = known.loc[place]
    figure.add_scatter(
        x=[row["x"]],
        y=[row["y"]],
        mode="markers",
        marker={
            "size": 15,
            "symbol": "star",
            "color": BEST,
            "line": {"color": "#FFFFFF", "width": 1.5},
        },
        name=f"{'Highest' if better else 'Lowest'} point, {row[value]:.3f}",
        hoverinfo="skip",
    )


def _cells(figure: go.Figure, known: pd.DataFrame, value: str, facts: Mapping[str, Any]) -> None:
    """An almost invisible marker on every point: contours themselves report no clicks."""
    name = value_title(value, facts)
    figure.add_scatter(
        x=known["x"],
        y=known["y"],
        mode="markers",
        marker={"size": 16, "opacity": 0.001, "color": NEUTRAL, "maxdisplayed": 1},
        customdata=[[int(i)] for i in known.index],
        text=[f"{v:.4f}" for v in known[value]],
        hovertemplate=f"{name} %{{text}}<extra>click to ask it</extra>",
        showlegend=False,
        selected={"marker": {"opacity": 0.001}},
        unselected={"marker": {"opacity": 0.001}},
    )


def chosen(figure: go.Figure, row: pd.Series) -> None:
    """Ring the point that was clicked."""
    figure.add_scatter(
        x=[row["x"]],
        y=[row["y"]],
        mode="markers",
        marker={"size": 18, "symbol": "circle-open", "color": BEST, "line": {"width": 3}},
        name="Chosen point",
        hoverinfo="skip",
    )


def relief(
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    value: str = "loss",
    scale: tuple[float, float] | None = None,
) -> go.Figure:
    """The same ground in three dimensions."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 600})
    known = table.dropna(subset=["x", "y", value])
    low, high = scale or limits([known], value) or (0.0, 1.0)
    if len(known) > 2:
        # Triangles between the measured points, not a surface over a fine grid: its rim would be
        # ragged, and a computer without a graphics card would take seconds to draw it.
        figure.add_mesh3d(
            x=known["x"],
            y=known["y"],
            z=known[value],
            delaunayaxis="z",
            intensity=known[value],
            cmin=low,
            cmax=high,
            colorscale=SCALE,
            colorbar={"title": {"text": value_title(value, facts), "side": "right"}, "len": 0.8},
            hovertemplate="%{z:.4f}<extra></extra>",
        )
    marks = known[known["mark"] != ""]
    if (marks["line"] == "path").sum() > 4:
        marks = marks.iloc[[0, -1]]
    figure.add_scatter3d(
        x=marks["x"],
        y=marks["y"],
        z=marks[value] + (high - low) * 0.04,  # above the ground, not in it
        mode="markers",
        text=[text(mark) for mark in marks["mark"]],
        marker={"size": 5, "color": "#FFFFFF", "line": {"color": "#1B2430", "width": 2}},
        hovertemplate="%{text}: %{z:.4f}<extra></extra>",
        showlegend=False,
    )
    # Names as annotations: text of a trace would be hidden by the ground in front of it.
    names = [
        {
            "x": row["x"],
            "y": row["y"],
            "z": row[value] + (high - low) * 0.04,
            "text": text(row["mark"]),
            "showarrow": False,
            "yshift": 16,
            "bgcolor": faint("#FFFFFF", 0.8),
            "font": {"color": "#1B2430"},
        }
        for _, row in marks.iterrows()
    ]
    axes = facts.get("axes", ["", ""])
    bare: dict[str, Any] = {
        "backgroundcolor": "rgba(0,0,0,0)",
        "gridcolor": faint(NEUTRAL, 0.35),
        "zeroline": False,
    }
    triangle = "corners" in facts
    figure.update_scenes(
        xaxis=bare | {"title": text(axes[0]), "visible": not triangle},
        yaxis=bare | {"title": text(axes[1]), "visible": not triangle},
        zaxis=bare | {"title": value_title(value, facts), "range": [low, high]},
        aspectmode="manual",
        aspectratio={"x": 1.2, "y": 1.1, "z": 0.7},
        annotations=names,
        camera={"eye": {"x": 0.5, "y": -1.3, "z": 1.6}},
    )
    _titled(figure, f"{value_title(value, facts)} in relief", facts)
    return figure


def ground_alt(table: pd.DataFrame, facts: Mapping[str, Any], value: str = "loss") -> str:
    """A landscape in words: its marks, and how low and high it goes."""
    known = table.dropna(subset=[value])
    if known.empty:
        return "Nothing has been measured yet."
    marks = known[known["mark"] != ""]
    parts = [f"{row['mark']} {row[value]:.3f}" for _, row in marks.iterrows()][:14]
    low, high = known[value].min(), known[value].max()
    return (
        f"{value_title(value, facts)} at {len(known)} points, from {low:.3f} to {high:.3f}. "
        f"{'; '.join(parts)}. {said(facts)}."
    )


def cuts(
    table: pd.DataFrame, facts: Mapping[str, Any], only: str = "", title: str = ""
) -> go.Figure:
    """Loss along each line, from its start at 0 to its end at 1 and a little beyond."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 460})
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
                "color": LINES[nth % len(LINES)],
                "width": 2,
                "dash": "dash" if from_middle else "solid",
            },
            marker={"symbol": SYMBOLS[nth % len(SYMBOLS)], "size": 6},
            name=text(name[:1].upper() + name[1:]),
            hovertemplate="%{x:.2f} of the way: %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    for end in (0, 1):
        figure.add_vline(x=end, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="Share of the way from the first to the second")
    figure.update_yaxes(title_text="Loss (nats)")
    figure.update_layout(margin={"b": 8})
    _titled(figure, title or "Loss along the edges", facts)
    return figure


def barriers(table: pd.DataFrame) -> pd.DataFrame:
    """Every line with the loss at its ends and the height of the barrier between them."""
    made = []
    for name, line in table.dropna(subset=["loss", "t"]).groupby("line", sort=False):
        line = line.sort_values("t")
        t, losses = line["t"].to_numpy(), line["loss"].to_numpy()
        if not name or t.min() > 0 or t.max() < 1:
            continue
        first, last = (float(losses[np.abs(t - end).argmin()]) for end in (0, 1))
        made.append((name, first, last, simplex.barrier(t, losses)))
    return pd.DataFrame(made, columns=["Line", "Loss at start", "Loss at end", "Barrier"])


def cuts_alt(table: pd.DataFrame) -> str:
    """The cuts in words."""
    rows = barriers(table)
    parts = [
        f"{row['Line']}: {row['Loss at start']:.3f} to {row['Loss at end']:.3f}, "
        f"barrier {row['Barrier']:.3f}"
        for _, row in rows.iterrows()
    ]
    return f"Loss along lines. {'; '.join(parts[:12]) or 'Nothing measured yet'}."


def flatness_table(measures: pd.DataFrame) -> pd.DataFrame:
    """Every measure with its mean and 95 % interval over seeds."""
    rows = []
    for name, seeds in measures.groupby("measure", sort=False):
        title, note = MEASURES[str(name)]
        found = interval(seeds["value"])
        rows.append((title, found.mean, found.low, found.high, found.n, note))
    return pd.DataFrame(rows, columns=["Measure", "Mean", "Low", "High", "Seeds", "What it is"])


def against_score(
    table: pd.DataFrame, name: str, metric: str, looks: Mapping[str, Look], found: Agreement
) -> go.Figure:
    """A measure of flatness against the test score, one point per run and seed."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 460})
    for run, rows in table.groupby("run", sort=False):
        look = looks[str(run)]
        figure.add_scatter(
            x=rows["value"],
            y=rows["score"],
            mode="markers",
            marker={"color": look.colour, "symbol": look.symbol, "size": 11},
            name=text(look.name),
            customdata=rows[["seed"]],
            hovertemplate="seed %{customdata[0]}: %{x:.4f}, %{y:.3f}"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title_text=MEASURES[name][0])
    figure.update_yaxes(title_text=f"Test {measure(metric).title.lower()}")
    figure.update_layout(
        title={
            "text": f"{MEASURES[name][0]} against test score<br>"
            f"<sup>{text(correlation_words(found))}, {_runs(table['run'].nunique())}</sup>",
            "x": 0,
        }
    )
    return figure


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"


def correlation_words(found: Agreement) -> str:
    """A rank correlation with its interval, or why there is none."""
    if found.value is None:
        return f"no rank correlation: {found.n} points are too few or do not vary"
    words = f"rank correlation {found.value:+.2f}"
    if found.low is None:
        return f"{words}, no interval from so few runs, n = {found.n}"
    return f"{words}, 95 % interval {found.low:+.2f} to {found.high:+.2f}, n = {found.n}"


def spread(
    points: Sequence[float],
    copies: Sequence[float],
    centroid: float,
    facts: Mapping[str, Any],
) -> go.Figure:
    """Losses at random points and of random copies, beside the centroid's one value."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420, "barmode": "overlay"})
    both = [*points, *copies, centroid]
    low, high = min(both), max(both)
    width = max((high - low) / 24, 1e-6)
    kinds = (("One point for all examples", points, 0), ("A point for each example", copies, 1))
    for name, values, nth in kinds:
        figure.add_histogram(
            x=list(values),
            xbins={"start": low - width, "end": high + width, "size": width},
            marker={"color": faint(LINES[nth], 0.6), "line": {"color": LINES[nth], "width": 1}},
            name=f"{name}, {len(values)} draws",
            hovertemplate="%{x}: %{y} draws<extra></extra>",
        )
    figure.add_vline(
        x=centroid,
        line={"color": BEST, "width": 2.5},
        annotation={"text": f"centroid {centroid:.4f}", "font": {"color": BEST}},
        annotation_position="top",
    )
    figure.update_xaxes(title_text="Loss on the validation draw (nats)")
    figure.update_yaxes(title_text="Draws")
    figure.update_layout(margin={"t": 84})  # room for the centroid's label below the title
    _titled(figure, "What random points say, and the one deterministic value", facts)
    return figure


def spread_alt(points: Sequence[float], copies: Sequence[float], centroid: float) -> str:
    """The histogram in words."""
    parts = [
        f"{name}: mean {np.mean(values):.4f}, standard deviation {np.std(values, ddof=1):.4f}, "
        f"{len(values)} draws"
        for name, values in (("One point for all", points), ("A point each", copies))
        if len(values) > 1
    ]
    return f"Validation loss at random points. {'; '.join(parts)}; centroid {centroid:.4f}."


def tightening(table: pd.DataFrame, facts: Mapping[str, Any]) -> go.Figure:
    """How far the mean of R random copies still strays."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 380})
    figure.add_scatter(
        x=table["R"],
        y=table["expected"],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dash"},
        name="One copy's, divided by √R",
    )
    figure.add_scatter(
        x=table["R"],
        y=table["error"],
        mode="markers",
        marker={"color": LINES[0], "size": 10},
        name="Drawn again and again",
    )
    figure.update_xaxes(
        title_text="Copies of the validation draw, R", type="log", tickvals=list(table["R"])
    )
    figure.update_yaxes(title_text="Standard deviation of the mean (nats)", rangemode="tozero")
    _titled(figure, "How the estimate tightens", facts)
    return figure


def estimates(steps: pd.DataFrame, facts: Mapping[str, Any]) -> go.Figure:
    """Both estimates and the test loss at every kept step, means over seeds."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    names = {
        "stochastic": "Validation at random points, 10 copies",
        "centroid": "Validation at the centroid",
        "test_loss": "Test, at the centroid",
    }
    for nth, (column, name) in enumerate(names.items()):
        means = steps.groupby("step")[column].mean()
        figure.add_scatter(
            x=means.index,
            y=means,
            mode="lines+markers",
            line={"color": LINES[nth], "width": 2},
            marker={"symbol": SYMBOLS[nth], "size": 8},
            name=name,
        )
    figure.update_xaxes(title_text="Optimiser step")
    figure.update_yaxes(title_text="Loss (nats, log scale)", type="log")
    _titled(figure, f"Estimates along the training, {steps['seed'].nunique()} seeds", facts)
    return figure


def ablation(rows: pd.DataFrame, metric: str) -> go.Figure:
    """Test score by number of vertices, with 95 % intervals over seeds."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    half = [0 if math.isnan(row.high) else row.high - row.mean for row in rows.itertuples()]
    figure.add_scatter(
        x=rows["vertices"],
        y=rows["mean"],
        error_y={"array": half, "color": faint(LINES[0], 0.6), "thickness": 2, "width": 6},
        mode="lines+markers",
        line={"color": LINES[0], "width": 2},
        marker={"size": 11},
        hovertemplate="%{x} vertices: %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="Vertices of the simplex", dtick=1)
    figure.update_yaxes(title_text=f"Test {measure(metric).title.lower()}")
    figure.update_layout(title={"text": "Score by number of vertices, 95 % intervals", "x": 0})
    return figure
