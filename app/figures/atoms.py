"""What atoms are like: the map of layers and atoms, coefficients over text, sparsity.

Arrays and tables come from `peftcore.labs.atoms.request`; facts are what a figure says of itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from app.figures.atoms_tables import add_line_with_band, coefficient_facts, titled_chart
from app.figures.layout import MAX_NUMBERS
from app.figures.scales import colour_limit
from app.figures.theme import EXTRA_COLOURS, NEUTRAL, plotly_text, style_of_method, with_opacity
from peftcore.analysis import sparsity
from peftcore.analysis.comparison import interval_by_step
from peftcore.labs.atoms.request import AtomSite

COLOUR_SCALE = "Cividis"
ROW_HEIGHT, MAX_HEIGHT = 26, 470  # pixels of a matrix's row, and of a picture
MEASURE_RANGE = (0.0, math.inf)  # of every measure; what none of them can be is below zero
MEASURE_TITLES = {
    "zeros": "Exact zeros (share of coefficients)",
    "l0": "Atoms used at a position (L0)",
    "hoyer": "Hoyer's measure (0 even, 1 one atom)",
    "gini": "Gini of importance (0 even, 1 one atom)",
    "effective": "Effective number of atoms (participation)",
    "dead": "Atoms never used",
    "always": "Atoms used everywhere",
}


def atom_heatmap(
    values: ArrayLike,
    sites: Sequence[AtomSite],
    title: str,
    facts: Mapping[str, Any],
    seed: int,
    chosen: int | None = None,
) -> go.Figure:
    """Matrix × atom, one number each; every cell can be clicked and says what it is."""
    cell_values = np.asarray(values, dtype=np.float64)
    rows, atoms_per_site = cell_values.shape
    figure = titled_chart(
        min(MAX_HEIGHT, 130 + ROW_HEIGHT * rows), title, coefficient_facts(facts, seed)
    )
    limit = colour_limit(cell_values)  # one strong atom would leave all others blank
    figure.add_heatmap(
        z=cell_values,
        x=list(range(atoms_per_site)),
        y=list(range(rows)),
        zmin=0,
        zmax=limit.top,
        colorscale=COLOUR_SCALE,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        colorbar={
            "title": {"text": plotly_text(title.split(":")[0]), "side": "right"},
            "thickness": 14,
            **limit.bar_ticks(signed=False),
        },
    )
    _add_cell_targets(figure, cell_values, sites, title)
    if chosen is not None and chosen < cell_values.size:
        row, atom = divmod(chosen, atoms_per_site)
        figure.add_scatter(
            x=[atom],
            y=[row],
            mode="markers",
            marker={"symbol": "square-open", "size": 22, "color": "#D55E00", "line": {"width": 3}},
            hoverinfo="skip",
            showlegend=False,
        )
    step = -(-atoms_per_site // 16)
    figure.update_xaxes(
        title_text="Atom of the matrix",
        tickvals=list(range(0, atoms_per_site, step)),
        tickangle=0,
        range=[-0.5, atoms_per_site - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=list(range(rows)),
        ticktext=[plotly_text(site.title) for site in sites],
        autorange="reversed",
        showgrid=False,
    )
    return figure.update_layout(clickmode="event+select")


def _add_cell_targets(
    figure: go.Figure, values: np.ndarray, sites: Sequence[AtomSite], title: str
) -> None:
    """Add invisible marks over the cells, because plotly reports no clicks on heat maps."""
    rows, atoms_per_site = values.shape
    cells = [(row, atom) for row in range(rows) for atom in range(atoms_per_site)]
    figure.add_scatter(
        x=[atom for _, atom in cells],
        y=[row for row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 20, "color": "rgba(0,0,0,0.001)"},
        customdata=[[row * atoms_per_site + atom] for row, atom in cells],
        text=[
            f"{plotly_text(sites[r].atom_name(a))} · "
            f"{plotly_text(sites[r].title)}<br>{plotly_text(title)} "
            f"{values[r, a]:.4g}"
            for r, a in cells
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def atom_heatmap_alt(values: ArrayLike, sites: Sequence[AtomSite], title: str) -> str:
    """The map in words: the three largest cells."""
    cell_values = np.asarray(values, dtype=np.float64)
    order = sparsity.rank_atoms(np.nan_to_num(cell_values).ravel())[:3]
    parts = [
        f"{sites[n // cell_values.shape[1]].atom_name(n % cell_values.shape[1])} "
        f"{cell_values.ravel()[n]:.3g}"
        for n in order
    ]
    return (
        f"{title} of {cell_values.size} atoms in {len(sites)} matrices. Largest: "
        f"{', '.join(parts)}."
    )


def atom_table(values: Mapping[str, ArrayLike], sites: Sequence[AtomSite]) -> pd.DataFrame:
    """One row per atom, with every number that can be mapped."""
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    atoms_per_site = next(iter(arrays.values())).shape[1]
    names = [(site.title, site.atom_name(i)) for site in sites for i in range(atoms_per_site)]
    atom_names = pd.DataFrame(names, columns=["matrix", "atom"])
    return atom_names.assign(**{name: value.ravel() for name, value in arrays.items()})


def coefficient_heatmap(
    codes: ArrayLike, words: Sequence[str], site: AtomSite, seed: int, chosen: int | None = None
) -> go.Figure:
    """Coefficients (t, m) of one matrix over the tokens of a text; exact zeros stay blank."""
    coefficients = np.asarray(codes, dtype=np.float64)
    nonzero = np.where(coefficients == 0, np.nan, coefficients).T
    limit = colour_limit(coefficients)
    figure = titled_chart(
        min(MAX_HEIGHT, 170 + 24 * coefficients.shape[1]),
        f"Coefficients: {site.title}",
        f"seed {seed}, {len(words)} tokens; blank is exactly zero",
    )
    names = [plotly_text(word) for word in words]
    hover = [
        [
            f"{plotly_text(site.atom_name(a))} at “{names[t]}”: {coefficients[t, a]:.4g}"
            for t in range(len(words))
        ]
        for a in range(coefficients.shape[1])
    ]
    figure.add_heatmap(
        z=nonzero,
        x=list(range(len(words))),
        y=list(range(coefficients.shape[1])),
        zmin=-limit.top,
        zmax=limit.top,
        autocolorscale=True,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=True,
        colorbar={
            "title": {"text": "Coefficient", "side": "right"},
            "thickness": 14,
            **limit.bar_ticks(signed=True),
        },
        xgap=1,
        ygap=1,
    )
    if chosen is not None:
        edge = {"type": "rect", "x0": -0.5, "x1": len(words) - 0.5, "line": {"color": "#D55E00"}}
        figure.add_shape(y0=chosen - 0.5, y1=chosen + 0.5, **edge)
    figure.update_xaxes(
        title_text="Token",
        tickvals=list(range(len(words))),
        ticktext=names,
        tickangle=-90 if len(words) > MAX_NUMBERS else None,
        showgrid=False,
    )
    figure.update_yaxes(title_text="Atom", dtick=1, showgrid=False, autorange="reversed")
    return figure


def coefficient_heatmap_alt(codes: ArrayLike, words: Sequence[str], site: AtomSite) -> str:
    """The coefficients in words: share of zeros, and the largest of all."""
    coefficients = np.asarray(codes, dtype=np.float64)
    t, a = np.unravel_index(int(np.abs(coefficients).argmax()), coefficients.shape)
    return (
        f"Coefficients of {coefficients.shape[1]} atoms at {site.title} over {len(words)} tokens; "
        f"{sparsity.zero_fraction(coefficients):.0%} are zero; largest {coefficients[t, a]:.3g} of "
        f"{site.atom_name(int(a))} "
        f"at {words[int(t)]}."
    )


def lorenz_curves(weights: Mapping[int, ArrayLike], facts: Mapping[str, Any]) -> go.Figure:
    """Lorenz curves of importance, a line for each seed, with the line of equal atoms."""
    figure = titled_chart(400, "Inequality of importance", coefficient_facts(facts))
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
            line={"color": EXTRA_COLOURS[nth % len(EXTRA_COLOURS)], "width": 2},
            hovertemplate="%{x:.0%} of the atoms hold %{y:.0%}<extra></extra>",
        )
    figure.update_xaxes(title_text="Share of atoms, the least important first", tickformat=".0%")
    figure.update_yaxes(title_text="Share of all importance", tickformat=".0%")
    return figure


def lorenz_curves_alt(weights: Mapping[int, ArrayLike]) -> str:
    """The curves in words."""
    parts = [f"seed {seed} {sparsity.gini(w):.2f}" for seed, w in weights.items()]
    return f"Lorenz curves of atom importance. Gini: {', '.join(parts)}."


def usage_histogram(frequency: Mapping[int, ArrayLike], facts: Mapping[str, Any]) -> go.Figure:
    """Draw how many atoms are used how often, over all seeds."""
    frequencies = np.concatenate([np.ravel(each) for each in frequency.values()])
    count, edges = np.histogram(frequencies, bins=20, range=(0, 1))
    dead, always = int((frequencies == 0).sum()), int((frequencies == 1).sum())
    figure = titled_chart(
        400, f"Usage: {dead} never, {always} everywhere", coefficient_facts(facts)
    )
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=count,
        width=0.046,
        marker={"color": style_of_method("atoms", "").colour},
        hovertemplate="%{y} atoms are used at about %{x:.0%} of the positions<extra></extra>",
    )
    figure.update_xaxes(title_text="Share of positions at which an atom is used", tickformat=".0%")
    figure.update_yaxes(title_text="Atoms of all seeds")
    return figure


def usage_histogram_alt(frequency: Mapping[int, ArrayLike]) -> str:
    """The histogram in words."""
    frequencies = np.concatenate([np.ravel(each) for each in frequency.values()])
    low, middle, high = np.quantile(frequencies, [0.25, 0.5, 0.75])
    return (
        f"Usage of {frequencies.size} atoms: {int((frequencies == 0).sum())} never used, "
        f"{int((frequencies == 1).sum())} used everywhere; quartiles {low:.0%}, {middle:.0%}, "
        f"{high:.0%}."
    )


def sparsity_by_step_chart(table: pd.DataFrame, name: str, facts: Mapping[str, Any]) -> go.Figure:
    """A measure of sparsity over training: mean, 95 % interval over seeds, and every seed."""
    means = interval_by_step(table, name, MEASURE_RANGE)
    style = style_of_method("atoms", "Mean of seeds")
    figure = titled_chart(400, MEASURE_TITLES[name], coefficient_facts(facts))
    for seed, seed_rows in table.groupby("seed"):
        figure.add_scatter(
            x=seed_rows["step"],
            y=seed_rows[name],
            mode="lines",
            line={"color": with_opacity(style.colour, 0.35), "width": 1},
            hovertemplate=f"seed {seed}, step %{{x}}: %{{y:.4g}}<extra></extra>",
            showlegend=False,
        )
    add_line_with_band(figure, means["step"], means, style, ".4g")
    figure.update_xaxes(title_text="Training step")
    figure.update_yaxes(title_text=MEASURE_TITLES[name])
    return figure


def sparsity_by_step_alt(table: pd.DataFrame, name: str) -> str:
    """First and last mean of a measure."""
    means = interval_by_step(table, name, MEASURE_RANGE)
    if means.empty:
        return f"{MEASURE_TITLES[name]}: nothing measured."
    first, last = means.iloc[0], means.iloc[-1]
    return (
        f"{MEASURE_TITLES[name]}: {first['mean']:.3g} at step {first['step']:.0f}, "
        f"{last['mean']:.3g} at step {last['step']:.0f}."
    )
