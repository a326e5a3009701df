"""What atoms are worth: scores with fewer of them, by density, and with two runs' at once.

Tables come from `peftcore.labs.atoms.request`; facts are what a figure says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.atoms_tables import add_line_with_band, score_facts, titled_chart
from app.figures.compare import find_measure, metric_axis_title, value_format
from app.figures.theme import (
    EXTRA_COLOURS,
    NEUTRAL,
    SYMBOLS,
    RunStyle,
    style_of_method,
    with_opacity,
)
from peftcore.analysis.comparison import interval
from peftcore.labs.atoms.request import ORDERS
from peftcore.metrics.scores import metric_range

ORDER_COLOURS = {"importance": "#5A76F5", "ablation": "#D55E00", "random": NEUTRAL}
ORDER_DASHES = {"importance": "solid", "ablation": "dash", "random": "dot"}
ORDER_TITLES = {
    "importance": "By importance",
    "ablation": "By cost of removal",
    "random": "Random",
}


def pruning_curves(
    bands: pd.DataFrame, quantity: str, facts: Mapping[str, Any], marked_count: int | None = None
) -> go.Figure:
    """Loss or score with k atoms kept, in each order, with 95 % intervals over seeds."""
    ks = sorted(set(bands["k"]))
    x_by_count = {k: nth for nth, k in enumerate(ks)}
    metric = str(facts.get("metric", ""))
    random_orders = int(bands.loc[bands["order"] == "random", "draws"].max() or 0)
    name = "Loss" if quantity == "loss" else find_measure(metric).title
    figure = titled_chart(
        460,
        f"{name} with few atoms",
        f"{score_facts(facts)}; 95 % intervals of other seeds; random: mean of {random_orders} "
        "orders of each seed",
        hovermode="x unified",
    )
    form = ".4f" if quantity == "loss" else value_format(metric)
    for nth, order in enumerate(o for o in ORDERS if o in set(bands["order"])):
        order_bands = bands[bands["order"] == order].sort_values("k")
        xs = [x_by_count[each] for each in order_bands["k"]]
        style = RunStyle(
            ORDER_TITLES[order], ORDER_COLOURS[order], SYMBOLS[nth], ORDER_DASHES[order]
        )
        add_line_with_band(figure, xs, order_bands, style, form)
    if marked_count in x_by_count:
        figure.add_vline(
            x=x_by_count[int(marked_count or 0)],
            line={"color": NEUTRAL, "width": 1.5, "dash": "dash"},
        )
    figure.update_xaxes(
        title_text="Atoms kept",
        tickvals=list(x_by_count.values()),
        ticktext=[str(each) for each in ks],
    )
    figure.update_yaxes(
        title_text="Loss (nats)" if quantity == "loss" else metric_axis_title(metric)
    )
    return figure


def pruning_curves_alt(bands: pd.DataFrame, quantity: str, facts: Mapping[str, Any]) -> str:
    """The curves in words: what each order has with half of the numbers kept, and all."""
    form = ".4f" if quantity == "loss" else value_format(str(facts.get("metric", "")))
    parts = []
    for order, order_bands in bands.groupby("order", sort=False):
        scores_text = ", ".join(
            f"{row.k} atoms {row.mean:{form}}" for row in order_bands.itertuples()
        )
        parts.append(f"{ORDER_TITLES[str(order)]}: {scores_text}")
    return f"{'Loss' if quantity == 'loss' else 'Score'} by atoms kept. {'; '.join(parts)}."


def density_table(points: Sequence[Mapping[str, Any]], metric: str) -> pd.DataFrame:
    """One row per run of a path: name, density and score with intervals, effective number."""
    rows = []
    for point in points:
        score = interval(point["scores"], metric_range(metric))
        used = interval([1 - zero for zero in point.get("zeros", [])], (0.0, 1.0))
        rows.append(
            {
                "point": "LoRA" if point["value"] is None else f"{point['value']:g}",
                "value": point["value"],
                "run": point["run"],
                "density": used.mean,
                "density_low": used.low,
                "density_high": used.high,
                "score": score.mean,
                "score_low": score.low,
                "score_high": score.high,
                "effective": interval(point.get("effective", [])).mean,
                "seeds": score.n,
            }
        )
    return pd.DataFrame(rows)


def density_chart(
    points: Sequence[Mapping[str, Any]], over: str, metric: str, facts: Mapping[str, Any]
) -> go.Figure:
    """Score against the share of coefficients that are not zero; LoRA of equal rank as a band."""
    table = density_table(points, metric)
    figure = titled_chart(
        460,
        f"Density against quality by {over}",
        f"numbers: {over}; {score_facts(facts)}; 95 % intervals of other seeds",
    )
    form = value_format(metric)
    reference = table[table["value"].isna()]
    for row in reference.itertuples():
        colour = style_of_method("lora", "").colour
        figure.add_hline(
            y=row.score,
            line={"color": colour, "dash": "dash", "width": 2},
            annotation={
                "text": f"LoRA of equal rank {row.score:{form}}",
                "yanchor": "bottom",
                "font": {"color": colour},
            },
            annotation_position="top left",
        )
        if pd.notna(row.score_low):
            figure.add_hrect(
                y0=row.score_low,
                y1=row.score_high,
                fillcolor=with_opacity(colour, 0.1),
                line_width=0,
            )
    path_rows = table[table["value"].notna()].dropna(subset=["density"]).sort_values("density")
    figure.add_scatter(
        x=path_rows["density"],
        y=path_rows["score"],
        mode="lines+markers+text",
        text=_point_labels(path_rows),
        textposition="top right",
        line={"color": style_of_method("atoms", "").colour, "width": 2},
        marker={"size": 10, "symbol": style_of_method("atoms", "").symbol},
        error_x=_error_bars(path_rows, "density"),
        error_y=_error_bars(path_rows, "score"),
        customdata=path_rows[["point", "effective", "seeds"]],
        hovertemplate=f"{over} %{{customdata[0]}}: %{{y:{form}}} with %{{x:.0%}} of coefficients "
        "not zero, %{customdata[1]:.1f} effective atoms, %{customdata[2]} seeds<extra></extra>",
        name="Sparse atoms",
    )
    figure.update_xaxes(
        title_text="Density: share of coefficients that are not zero",
        tickformat=".0%",
        range=[-0.03, 1.06],
    )
    figure.update_yaxes(title_text=metric_axis_title(metric))
    return figure


def _point_labels(path_rows: pd.DataFrame) -> list[str]:
    """The value beside every point; of points in one place the first tells them all."""
    positions = list(zip(path_rows["density"].round(1), path_rows["score"].round(1), strict=True))
    labels_by_position: dict[tuple[float, float], list[str]] = {}
    for position, point in zip(positions, path_rows["point"], strict=True):
        labels_by_position.setdefault(position, []).append(point)
    labels = []
    for i, position in enumerate(positions):
        first = position not in positions[:i]
        labels.append(", ".join(sorted(labels_by_position[position], key=float)) if first else "")
    return labels


def _error_bars(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the bars from each mean to its limits."""
    mean = table[name].astype(float)
    return {
        "array": (table[f"{name}_high"].astype(float) - mean).fillna(0),
        "arrayminus": (mean - table[f"{name}_low"].astype(float)).fillna(0),
        "thickness": 1.2,
        "width": 4,
    }


def density_chart_alt(points: Sequence[Mapping[str, Any]], over: str, metric: str) -> str:
    """The curve in words."""
    form = value_format(metric)
    parts = [
        f"{row.point if row.point == 'LoRA' else f'{over} {row.point}'}: {row.score:{form}}"
        + (f" at density {row.density:.0%}" if pd.notna(row.density) else "")
        for row in density_table(points, metric).itertuples()
    ]
    return f"{find_measure(metric).title} against density. {'; '.join(parts)}."


MIX_TITLES = {"both": "Both", "first": "First alone", "second": "Second alone", "none": "Neither"}
MIX_COLOURS = {
    "both": EXTRA_COLOURS[0],
    "first": EXTRA_COLOURS[1],
    "second": EXTRA_COLOURS[2],
    "none": NEUTRAL,
}


def combined_scores_chart(
    rows: pd.DataFrame, task: str, title: str, metric: str, n: int
) -> go.Figure:
    """Scores on one task with both runs' atoms, with each alone and with none."""
    task_rows = rows[rows["task"] == task]
    seeds = f"{len(task_rows)} seeds" if len(task_rows) != 1 else "one seed"
    figure = titled_chart(300, title, f"{seeds}, n = {n} examples, 95 % intervals")
    form = value_format(metric)
    for index, (name, words) in enumerate(MIX_TITLES.items()):
        estimate = interval(task_rows[name], metric_range(metric))
        mean, low, high = estimate.mean or 0.0, estimate.low, estimate.high
        colour = MIX_COLOURS[name]
        figure.add_scatter(
            x=task_rows[name],
            y=[index] * len(task_rows),
            mode="markers",
            marker={"color": with_opacity(colour, 0.5), "size": 6},
            hovertemplate=f"%{{x:{form}}}<extra></extra>",
            showlegend=False,
        )
        figure.add_scatter(
            x=[estimate.mean],
            y=[index],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": SYMBOLS[index]},
            error_x={
                "array": [0.0 if high is None else high - mean],
                "arrayminus": [0.0 if low is None else mean - low],
                "thickness": 2,
            },
            hovertemplate=f"{words}: %{{x:{form}}}<extra></extra>",
            showlegend=False,
        )
    figure.update_yaxes(
        tickvals=list(range(len(MIX_TITLES))),
        ticktext=list(MIX_TITLES.values()),
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(title_text=metric_axis_title(metric))
    return figure


def combined_scores_alt(rows: pd.DataFrame, task: str, title: str, metric: str) -> str:
    """The scores in words."""
    task_rows, form = rows[rows["task"] == task], value_format(metric)
    parts = [f"{words} {task_rows[name].mean():{form}}" for name, words in MIX_TITLES.items()]
    return f"{find_measure(metric).title} on {title}. {'; '.join(parts)}."
