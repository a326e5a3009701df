"""What atoms are worth: scores with fewer of them, by density, and with two runs' at once.

Tables come from `peftcore.labs.atoms.request`; facts are what a figure says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.atoms_tables import frame, judged, line
from app.figures.compare import axis_title, digits, measure
from app.theme import NEUTRAL, OTHERS, SYMBOLS, faint, look
from peftcore.analysis.comparison import interval
from peftcore.labs.atoms.request import ORDERS

COLOURS = {"importance": "#5A76F5", "ablation": "#D55E00", "random": NEUTRAL}
DASHES = {"importance": "solid", "ablation": "dash", "random": "dot"}
NAMES = {
    "importance": "By importance",
    "ablation": "By cost of removal",
    "random": "Random",
}


def pruning(
    bands: pd.DataFrame, what: str, facts: Mapping[str, Any], k: int | None = None
) -> go.Figure:
    """Loss or score with k atoms kept, in each order, with 95 % intervals over seeds."""
    ks = sorted(set(bands["k"]))
    place = {k: nth for nth, k in enumerate(ks)}
    metric = str(facts.get("metric", ""))
    draws = int(bands.loc[bands["order"] == "random", "draws"].max() or 0)
    name = "Loss" if what == "loss" else measure(metric).title
    figure = frame(
        460,
        f"{name} with few atoms",
        f"{judged(facts)}; 95 % intervals over seeds; random: mean of {draws} orders of each seed",
        hovermode="x unified",
    )
    form = ".4f" if what == "loss" else digits(metric)
    for nth, order in enumerate(o for o in ORDERS if o in set(bands["order"])):
        found = bands[bands["order"] == order].sort_values("k")
        along = [place[each] for each in found["k"]]
        symbol = SYMBOLS[nth]
        line(figure, along, found, COLOURS[order], NAMES[order], DASHES[order], symbol, form)
    if k in place:
        figure.add_vline(
            x=place[int(k or 0)], line={"color": NEUTRAL, "width": 1.5, "dash": "dash"}
        )
    figure.update_xaxes(
        title_text="Atoms kept", tickvals=list(place.values()), ticktext=[str(each) for each in ks]
    )
    figure.update_yaxes(title_text="Loss (nats)" if what == "loss" else axis_title(metric))
    return figure


def pruning_alt(bands: pd.DataFrame, what: str, facts: Mapping[str, Any]) -> str:
    """The curves in words: what each order has with half of the numbers kept, and all."""
    form = ".4f" if what == "loss" else digits(str(facts.get("metric", "")))
    parts = []
    for order, found in bands.groupby("order", sort=False):
        told = ", ".join(f"{row.k} atoms {row.mean:{form}}" for row in found.itertuples())
        parts.append(f"{NAMES[str(order)]}: {told}")
    return f"{'Loss' if what == 'loss' else 'Score'} by atoms kept. {'; '.join(parts)}."


def density_table(points: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per run of a path: name, density and score with intervals, effective number."""
    rows = []
    for point in points:
        score = interval(point["scores"])
        used = interval([1 - zero for zero in point.get("zeros", [])])
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


def density(
    points: Sequence[Mapping[str, Any]], over: str, metric: str, facts: Mapping[str, Any]
) -> go.Figure:
    """Score against the share of coefficients that are not zero; LoRA of equal rank as a band."""
    table = density_table(points)
    figure = frame(
        460,
        f"Density against quality by {over}",
        f"numbers: {over}; {judged(facts)}; 95 % intervals over seeds",
    )
    form = digits(metric)
    reference = table[table["value"].isna()]
    for row in reference.itertuples():
        colour = look("lora", "").colour
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
                y0=row.score_low, y1=row.score_high, fillcolor=faint(colour, 0.1), line_width=0
            )
    along = table[table["value"].notna()].dropna(subset=["density"]).sort_values("density")
    figure.add_scatter(
        x=along["density"],
        y=along["score"],
        mode="lines+markers+text",
        text=_labels(along),
        textposition="top right",
        line={"color": look("atoms", "").colour, "width": 2},
        marker={"size": 10, "symbol": look("atoms", "").symbol},
        error_x=_bars(along, "density"),
        error_y=_bars(along, "score"),
        customdata=along[["point", "effective", "seeds"]],
        hovertemplate=f"{over} %{{customdata[0]}}: %{{y:{form}}} with %{{x:.0%}} of coefficients "
        "not zero, %{customdata[1]:.1f} effective atoms, %{customdata[2]} seeds<extra></extra>",
        name="Sparse atoms",
    )
    figure.update_xaxes(
        title_text="Density: share of coefficients that are not zero",
        tickformat=".0%",
        range=[-0.03, 1.06],
    )
    figure.update_yaxes(title_text=axis_title(metric))
    return figure


def _labels(along: pd.DataFrame) -> list[str]:
    """The value beside every point; of points in one place the first tells them all."""
    places = list(zip(along["density"].round(1), along["score"].round(1), strict=True))
    told: dict[tuple[float, float], list[str]] = {}
    for place, point in zip(places, along["point"], strict=True):
        told.setdefault(place, []).append(point)
    found = []
    for i, place in enumerate(places):
        first = place not in places[:i]
        found.append(", ".join(sorted(told[place], key=float)) if first else "")
    return found


def _bars(table: pd.DataFrame, name: str) -> dict[str, Any]:
    mean = table[name].astype(float)
    return {
        "array": (table[f"{name}_high"].astype(float) - mean).fillna(0),
        "arrayminus": (mean - table[f"{name}_low"].astype(float)).fillna(0),
        "thickness": 1.2,
        "width": 4,
    }


def density_alt(points: Sequence[Mapping[str, Any]], over: str, metric: str) -> str:
    """The curve in words."""
    form = digits(metric)
    parts = [
        f"{row.point if row.point == 'LoRA' else f'{over} {row.point}'}: {row.score:{form}}"
        + (f" at density {row.density:.0%}" if pd.notna(row.density) else "")
        for row in density_table(points).itertuples()
    ]
    return f"{measure(metric).title} against density. {'; '.join(parts)}."


WORN = {"both": "Both", "first": "First alone", "second": "Second alone", "none": "Neither"}
WEARERS = {"both": OTHERS[0], "first": OTHERS[1], "second": OTHERS[2], "none": NEUTRAL}  # colours


def combined(rows: pd.DataFrame, task: str, title: str, metric: str, n: int) -> go.Figure:
    """Scores on one task with both runs' atoms, with each alone and with none."""
    held = rows[rows["task"] == task]
    seeds = f"{len(held)} seeds" if len(held) != 1 else "one seed"
    figure = frame(300, title, f"{seeds}, n = {n} examples, 95 % intervals")
    form = digits(metric)
    for place, (name, words) in enumerate(WORN.items()):
        found = interval(held[name])
        half = 0.0 if found.high is None or found.mean is None else found.high - found.mean
        colour = WEARERS[name]
        figure.add_scatter(
            x=held[name],
            y=[place] * len(held),
            mode="markers",
            marker={"color": faint(colour, 0.5), "size": 6},
            hovertemplate=f"%{{x:{form}}}<extra></extra>",
            showlegend=False,
        )
        figure.add_scatter(
            x=[found.mean],
            y=[place],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": SYMBOLS[place]},
            error_x={"array": [half], "thickness": 2},
            hovertemplate=f"{words}: %{{x:{form}}}<extra></extra>",
            showlegend=False,
        )
    figure.update_yaxes(
        tickvals=list(range(len(WORN))),
        ticktext=list(WORN.values()),
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(title_text=axis_title(metric))
    return figure


def combined_alt(rows: pd.DataFrame, task: str, title: str, metric: str) -> str:
    """The scores in words."""
    held, form = rows[rows["task"] == task], digits(metric)
    parts = [f"{words} {held[name].mean():{form}}" for name, words in WORN.items()]
    return f"{measure(metric).title} on {title}. {'; '.join(parts)}."
