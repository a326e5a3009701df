"""What atoms are like: the map of layers and atoms, coefficients over text, sparsity.

Arrays and tables come from `peftcore.labs.atoms.request`; facts are what a figure says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from app.figures.atoms_tables import frame, line, said
from app.theme import NEUTRAL, OTHERS, faint, look, text
from peftcore.analysis import sparsity
from peftcore.analysis.comparison import interval_by_step
from peftcore.labs.atoms.request import AtomSite

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


def layers(
    values: ArrayLike,
    sites: Sequence[AtomSite],
    title: str,
    facts: Mapping[str, Any],
    seed: int,
    chosen: int | None = None,
) -> go.Figure:
    """Matrix × atom, one number each; every cell can be clicked and says what it is."""
    held = np.asarray(values, dtype=np.float64)
    rows, each = held.shape
    figure = frame(130 + ROW * rows, title, said(facts, seed))
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
            f"{text(sites[r].atom_name(a))} · {text(sites[r].title)}<br>{text(title)} "
            f"{held[r, a]:.4g}"
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


def layers_alt(values: ArrayLike, sites: Sequence[AtomSite], title: str) -> str:
    """The map in words: the three largest cells."""
    held = np.asarray(values, dtype=np.float64)
    order = sparsity.rank_atoms(np.nan_to_num(held).ravel())[:3]
    parts = [
        f"{sites[n // held.shape[1]].atom_name(n % held.shape[1])} {held.ravel()[n]:.3g}" for n in order
    ]
    return f"{title} of {held.size} atoms in {len(sites)} matrices. Largest: {', '.join(parts)}."


def layers_table(values: Mapping[str, ArrayLike], sites: Sequence[AtomSite]) -> pd.DataFrame:
    """One row per atom, with every number that can be mapped."""
    held = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    each = next(iter(held.values())).shape[1]
    names = [(site.title, site.atom_name(i)) for site in sites for i in range(each)]
    made = pd.DataFrame(names, columns=["matrix", "atom"])
    return made.assign(**{name: value.ravel() for name, value in held.items()})


def tokens(
    codes: ArrayLike, words: Sequence[str], site: AtomSite, seed: int, chosen: int | None = None
) -> go.Figure:
    """Coefficients (t, m) of one matrix over the tokens of a text; exact zeros stay blank."""
    held = np.asarray(codes, dtype=np.float64)
    shown = np.where(held == 0, np.nan, held).T
    widest = float(np.abs(held).max()) or 1.0
    figure = frame(
        170 + 24 * held.shape[1],
        f"Coefficients: {site.title}",
        f"seed {seed}, {len(words)} tokens; blank is exactly zero",
    )
    names = [text(word) for word in words]
    hover = [
        [f"{text(site.atom_name(a))} at “{names[t]}”: {held[t, a]:.4g}" for t in range(len(words))]
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


def tokens_alt(codes: ArrayLike, words: Sequence[str], site: AtomSite) -> str:
    """The coefficients in words: share of zeros, and the largest of all."""
    held = np.asarray(codes, dtype=np.float64)
    t, a = np.unravel_index(int(np.abs(held).argmax()), held.shape)
    return (
        f"Coefficients of {held.shape[1]} atoms at {site.title} over {len(words)} tokens; "
        f"{sparsity.zero_fraction(held):.0%} are zero; largest {held[t, a]:.3g} of "
        f"{site.atom_name(int(a))} "
        f"at {words[int(t)]}."
    )


def lorenz(weights: Mapping[int, ArrayLike], facts: Mapping[str, Any]) -> go.Figure:
    """Lorenz curves of importance, a line for each seed, with the line of equal atoms."""
    figure = frame(400, "Inequality of importance", said(facts))
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
    figure = frame(400, f"Usage: {dead} never, {always} everywhere", said(facts))
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
    found = interval_by_step(table, name)
    colour = look("atoms", "").colour
    figure = frame(400, MEASURES[name], said(facts))
    for seed, held in table.groupby("seed"):
        figure.add_scatter(
            x=held["step"],
            y=held[name],
            mode="lines",
            line={"color": faint(colour, 0.35), "width": 1},
            hovertemplate=f"seed {seed}, step %{{x}}: %{{y:.4g}}<extra></extra>",
            showlegend=False,
        )
    line(figure, found["step"], found, colour, "Mean of seeds", "solid", "circle", ".4g")
    figure.update_xaxes(title_text="Training step")
    figure.update_yaxes(title_text=MEASURES[name])
    return figure


def evolution_alt(table: pd.DataFrame, name: str) -> str:
    """First and last mean of a measure."""
    found = interval_by_step(table, name)
    if found.empty:
        return f"{MEASURES[name]}: nothing measured."
    first, last = found.iloc[0], found.iloc[-1]
    return (
        f"{MEASURES[name]}: {first['mean']:.3g} at step {first['step']:.0f}, "
        f"{last['mean']:.3g} at step {last['step']:.0f}."
    )
