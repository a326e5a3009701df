"""Atoms: the map of layers and atoms, coefficients over text, sparsity, pruning, density.

Arrays and tables come from `peftcore.atom_studies`; facts are what a figure says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from app.figures.compare import axis_title, digits, measure
from app.theme import NEUTRAL, OTHERS, SYMBOLS, TEMPLATE, faint, look, text
from peftcore.analysis import sparsity
from peftcore.analysis.comparison import band, interval
from peftcore.atom_studies import ORDERS, Site

SCALE = "Cividis"
SIGNED = [[0.0, "#B2182B"], [0.5, "#F2F2F2"], [1.0, "#2166AC"]]
ROW = 26  # pixels of a matrix's row
MEASURES = {
    "zeros": "Exact zeros (share of coefficients)",
    "l0": "Atoms used at a position (L0)",
    "hoyer": "Hoyer's measure (0 even, 1 one atom)",
    "gini": "Gini of importance (0 even, 1 one atom)",
    "effective": "Effective number of atoms (participation)",
    "dead": "Atoms never used",
    "always": "Atoms used everywhere",
}
COLOURS = {"importance": "#5A76F5", "ablation": "#D55E00", "random": NEUTRAL}
DASHES = {"importance": "solid", "ablation": "dash", "random": "dot"}
NAMES = {
    "importance": "By importance",
    "ablation": "By cost of removal",
    "random": "Random",
}
TITLE, SUBTITLE = 36, 58  # characters of a line that fits a phone


def _frame(height: int, title: str, said: str, **more: Any) -> go.Figure:
    """A chart with a title and below it what it rests on, on lines that fit a phone."""
    heads, notes = wrap(title, TITLE), wrap(said, SUBTITLE)
    small = [f'<span style="font-size:11px;font-weight:400">{text(note)}</span>' for note in notes]
    top = 16 + 19 * (len(heads) + len(notes))  # every line is as high as the title's
    figure = go.Figure(layout={"template": TEMPLATE, "height": height + top - 52, **more})
    words = {"text": "<br>".join([*map(text, heads), *small]), "x": 0}
    words |= {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}}
    return figure.update_layout(title=words, margin={"t": top})


def said(facts: Mapping[str, Any], seed: int | None = None) -> str:
    """Examples, seeds and data of a figure about coefficients, as one line."""
    many = len(facts.get("seeds", ()))
    who = f"seed {seed}" if seed is not None else f"{many} seeds"
    return f"{who}, n = {facts.get('read')} validation examples, {_data(facts)}"


def judged(facts: Mapping[str, Any]) -> str:
    """Examples, seeds and data of a figure about scores, as one line."""
    many = len(facts.get("seeds", ()))
    return f"{many} seeds, n = {facts.get('n')} {facts.get('split')} examples, {_data(facts)}"


def _data(facts: Mapping[str, Any]) -> str:
    return f"data {str(facts.get('data_hash', ''))[:8]}, {facts.get('arithmetic', '')}"


def layers(
    values: ArrayLike,
    sites: Sequence[Site],
    title: str,
    facts: Mapping[str, Any],
    seed: int,
    chosen: int | None = None,
) -> go.Figure:
    """Matrix × atom, one number each; every cell can be clicked and says what it is."""
    held = np.asarray(values, dtype=np.float64)
    rows, each = held.shape
    figure = _frame(130 + ROW * rows, title, said(facts, seed))
    figure.add_heatmap(
        z=held,
        x=list(range(each)),
        y=list(range(rows)),
        colorscale=SCALE,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": text(title.split(":")[0]), "side": "right"}, "thickness": 14},
    )
    where = [(row, atom) for row in range(rows) for atom in range(each)]
    figure.add_scatter(  # heat maps tell nobody of clicks
        x=[atom for _, atom in where],
        y=[row for row, _ in where],
        mode="markers",
        marker={"symbol": "square", "size": 20, "color": "rgba(0,0,0,0.001)"},
        customdata=[[row * each + atom] for row, atom in where],
        text=[
            f"{text(sites[r].atom(a))} · {text(sites[r].title)}<br>{text(title)} {held[r, a]:.4g}"
            for r, a in where
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    if chosen is not None and chosen < held.size:
        row, atom = divmod(chosen, each)
        figure.add_scatter(
            x=[atom],
            y=[row],
            mode="markers",
            marker={"symbol": "square-open", "size": 22, "color": "#D55E00", "line": {"width": 3}},
            hoverinfo="skip",
            showlegend=False,
        )
    step = -(-each // 16)
    figure.update_xaxes(
        title_text="Atom of the matrix",
        tickvals=list(range(0, each, step)),
        tickangle=0,
        range=[-0.5, each - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=list(range(rows)),
        ticktext=[text(site.title) for site in sites],
        autorange="reversed",
        showgrid=False,
    )
    return figure.update_layout(clickmode="event+select")


def layers_alt(values: ArrayLike, sites: Sequence[Site], title: str) -> str:
    """The map in words: the three largest cells."""
    held = np.asarray(values, dtype=np.float64)
    order = sparsity.ranked(np.nan_to_num(held).ravel())[:3]
    parts = [
        f"{sites[n // held.shape[1]].atom(n % held.shape[1])} {held.ravel()[n]:.3g}" for n in order
    ]
    return f"{title} of {held.size} atoms in {len(sites)} matrices. Largest: {', '.join(parts)}."


def layers_table(values: Mapping[str, ArrayLike], sites: Sequence[Site]) -> pd.DataFrame:
    """One row per atom, with every number that can be mapped."""
    held = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    each = next(iter(held.values())).shape[1]
    names = [(site.title, site.atom(i)) for site in sites for i in range(each)]
    made = pd.DataFrame(names, columns=["matrix", "atom"])
    return made.assign(**{name: value.ravel() for name, value in held.items()})


def tokens(
    codes: ArrayLike, words: Sequence[str], site: Site, seed: int, chosen: int | None = None
) -> go.Figure:
    """Coefficients (t, m) of one matrix over the tokens of a text; exact zeros stay blank."""
    held = np.asarray(codes, dtype=np.float64)
    shown = np.where(held == 0, np.nan, held).T
    widest = float(np.abs(held).max()) or 1.0
    figure = _frame(
        170 + 24 * held.shape[1],
        f"Coefficients at {site.title}",
        f"seed {seed}, {len(words)} tokens; blank is exactly zero",
    )
    names = [text(word) for word in words]
    hover = [
        [f"{text(site.atom(a))} at “{names[t]}”: {held[t, a]:.4g}" for t in range(len(words))]
        for a in range(held.shape[1])
    ]
    figure.add_heatmap(
        z=shown,
        x=list(range(len(words))),
        y=list(range(held.shape[1])),
        zmin=-widest,
        zmax=widest,
        colorscale=SIGNED,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=True,
        colorbar={"title": {"text": "Coefficient", "side": "right"}, "thickness": 14},
        xgap=1,
        ygap=1,
    )
    if chosen is not None:
        edge = {"type": "rect", "x0": -0.5, "x1": len(words) - 0.5, "line": {"color": "#D55E00"}}
        figure.add_shape(y0=chosen - 0.5, y1=chosen + 0.5, **edge)
    figure.update_xaxes(
        title_text="Token", tickvals=list(range(len(words))), ticktext=names, showgrid=False
    )
    figure.update_yaxes(title_text="Atom", dtick=1, showgrid=False, autorange="reversed")
    return figure


def tokens_alt(codes: ArrayLike, words: Sequence[str], site: Site) -> str:
    """The coefficients in words: share of zeros, and the largest of all."""
    held = np.asarray(codes, dtype=np.float64)
    t, a = np.unravel_index(int(np.abs(held).argmax()), held.shape)
    return (
        f"Coefficients of {held.shape[1]} atoms at {site.title} over {len(words)} tokens; "
        f"{sparsity.zeros(held):.0%} are zero; largest {held[t, a]:.3g} of {site.atom(int(a))} "
        f"at {words[int(t)]}."
    )


def lorenz(weights: Mapping[int, ArrayLike], facts: Mapping[str, Any]) -> go.Figure:
    """Lorenz curves of importance, a line for each seed, with the line of equal atoms."""
    figure = _frame(400, "Inequality of importance", said(facts))
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
        name="All alike",
        hoverinfo="skip",
    )
    for nth, (seed, weight) in enumerate(weights.items()):
        x, y = sparsity.lorenz(weight)
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name=f"Seed {seed}, Gini {sparsity.gini(weight):.2f}",
            line={"color": OTHERS[nth % len(OTHERS)], "width": 2},
            hovertemplate="%{x:.0%} of the atoms hold %{y:.0%}<extra></extra>",
        )
    figure.update_xaxes(title_text="Share of atoms, the least important first", tickformat=".0%")
    figure.update_yaxes(title_text="Share of all importance", tickformat=".0%")
    return figure


def lorenz_alt(weights: Mapping[int, ArrayLike]) -> str:
    """The curves in words."""
    parts = [f"seed {seed} {sparsity.gini(w):.2f}" for seed, w in weights.items()]
    return f"Lorenz curves of atom importance. Gini: {', '.join(parts)}."


def usage(frequency: Mapping[int, ArrayLike], facts: Mapping[str, Any]) -> go.Figure:
    """How many atoms are used how often, over all seeds."""
    held = np.concatenate([np.ravel(each) for each in frequency.values()])
    count, edges = np.histogram(held, bins=20, range=(0, 1))
    dead, always = int((held == 0).sum()), int((held == 1).sum())
    figure = _frame(400, f"Usage: {dead} never, {always} everywhere", said(facts))
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=count,
        width=0.046,
        marker={"color": look("atoms", "").colour},
        hovertemplate="%{y} atoms are used at about %{x:.0%} of the positions<extra></extra>",
    )
    figure.update_xaxes(title_text="Share of positions at which an atom is used", tickformat=".0%")
    figure.update_yaxes(title_text="Atoms of all seeds")
    return figure


def usage_alt(frequency: Mapping[int, ArrayLike]) -> str:
    """The histogram in words."""
    held = np.concatenate([np.ravel(each) for each in frequency.values()])
    low, middle, high = np.quantile(held, [0.25, 0.5, 0.75])
    return (
        f"Usage of {held.size} atoms: {int((held == 0).sum())} never used, "
        f"{int((held == 1).sum())} used everywhere; quartiles {low:.0%}, {middle:.0%}, {high:.0%}."
    )


def evolution(table: pd.DataFrame, name: str, facts: Mapping[str, Any]) -> go.Figure:
    """A measure of sparsity over training: mean, 95 % interval over seeds, and every seed."""
    found = band(table, name)
    colour = look("atoms", "").colour
    figure = _frame(400, f"{MEASURES[name]} during training", said(facts))
    for seed, held in table.groupby("seed"):
        figure.add_scatter(
            x=held["step"],
            y=held[name],
            mode="lines",
            line={"color": faint(colour, 0.35), "width": 1},
            hovertemplate=f"seed {seed}, step %{{x}}: %{{y:.4g}}<extra></extra>",
            showlegend=False,
        )
    _band(figure, found["step"], found, colour, "Mean of seeds", "solid", "circle", ".4g")
    figure.update_xaxes(title_text="Step")
    figure.update_yaxes(title_text=MEASURES[name])
    return figure


def evolution_alt(table: pd.DataFrame, name: str) -> str:
    """First and last mean of a measure."""
    found = band(table, name)
    if found.empty:
        return f"{MEASURES[name]}: nothing measured."
    first, last = found.iloc[0], found.iloc[-1]
    return (
        f"{MEASURES[name]}: {first['mean']:.3g} at step {first['step']:.0f}, "
        f"{last['mean']:.3g} at step {last['step']:.0f}."
    )


def _band(
    figure: go.Figure,
    x: Any,
    found: pd.DataFrame,
    colour: str,
    name: str,
    dash: str,
    symbol: str,
    form: str,
) -> None:
    """A line with its interval as a band."""
    known = found["low"].notna()
    along = list(np.asarray(x)[known])
    figure.add_scatter(
        x=along + along[::-1],
        y=[*found.loc[known, "high"], *found.loc[known, "low"][::-1]],
        mode="lines",
        fill="toself",
        fillcolor=faint(colour, 0.16),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    limits = found[["low", "high"]].to_numpy()
    figure.add_scatter(
        x=x,
        y=found["mean"],
        customdata=limits,
        mode="lines+markers",
        name=name,
        line={"color": colour, "dash": dash, "width": 2.5},
        marker={"symbol": symbol, "size": 8},
        hovertemplate=f"{name}: %{{y:{form}}} "
        f"(%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})<extra></extra>",
    )


def pruning(
    bands: pd.DataFrame, what: str, facts: Mapping[str, Any], k: int | None = None
) -> go.Figure:
    """Loss or score with k atoms kept, in each order, with 95 % intervals over seeds."""
    ks = sorted(set(bands["k"]))
    place = {k: nth for nth, k in enumerate(ks)}
    metric = str(facts.get("metric", ""))
    draws = int(bands.loc[bands["order"] == "random", "draws"].max() or 0)
    name = "Loss" if what == "loss" else measure(metric).title
    figure = _frame(
        460,
        f"{name} with few atoms, 95 % interval over seeds",
        f"{judged(facts)}; random: mean of {draws} orders of each seed",
        hovermode="x unified",
    )
    form = ".4f" if what == "loss" else digits(metric)
    for nth, order in enumerate(o for o in ORDERS if o in set(bands["order"])):
        found = bands[bands["order"] == order].sort_values("k")
        along = [place[each] for each in found["k"]]
        symbol = SYMBOLS[nth]
        _band(figure, along, found, COLOURS[order], NAMES[order], DASHES[order], symbol, form)
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
    figure = _frame(
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
        found.append(", ".join(told[place]) if first else "")
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


def combined(rows: pd.DataFrame, task: str, title: str, metric: str, n: int) -> go.Figure:
    """Scores on one task with both runs' atoms, with each alone and with none."""
    held = rows[rows["task"] == task]
    seeds = f"{len(held)} seeds" if len(held) != 1 else "one seed"
    figure = _frame(300, title, f"{seeds}, n = {n} examples, 95 % intervals")
    form = digits(metric)
    for place, (name, words) in enumerate(WORN.items()):
        found = interval(held[name])
        half = 0.0 if found.high is None or found.mean is None else found.high - found.mean
        colour = OTHERS[place]
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
