"""What the Landscape page shows, in sentences computed from it."""

from __future__ import annotations

import shlex

import pandas as pd

from app.figures import landscape as figures
from app.figures import landscape_flatness as flatness_figures
from app.ui.frame import provenance
from peftcore.labs.landscape.request import LandscapeJob

CENTROID_MARK = "centroid"  # the point of a landscape where all corners weigh the same


def landscape_finding(landscape: LandscapeJob) -> str:
    """What a measured landscape says first; its picture names examples, split, seed and data."""
    if landscape.request.kind in ("flatness", "validation"):
        return _finding_over_seeds(landscape)
    table = landscape.table()
    if table["loss"].dropna().empty:
        return "Nothing is measured yet."
    if landscape.request.kind in ("cuts", "curve"):
        return _finding_of_lines(table, landscape.request.kind)
    return _finding_of_surface(table)


def _finding_of_surface(table: pd.DataFrame) -> str:
    """Where the centroid lies among the corners; on other surfaces the span of the loss."""
    loss = table["loss"].dropna()
    span = f"from {loss.min():.3f} to {loss.max():.3f}"
    marked = table.dropna(subset=["loss"]).set_index("mark")["loss"]
    corners = marked[[str(mark).startswith("vertex") for mark in marked.index]]
    if CENTROID_MARK not in marked.index or len(corners) < 2:
        return f"The loss goes {span} over this surface."
    centre = float(marked.loc[[CENTROID_MARK]].iloc[0])
    low, high = float(corners.min()), float(corners.max())
    place = (
        "lower than at every corner"
        if centre < low
        else "higher than at every corner"
        if centre > high
        else "between those of the corners"
    )
    return (
        f"At the centroid, which answers, the loss is {centre:.3f}: {place}, "
        f"{low:.3f} to {high:.3f}."
    )


def _finding_of_lines(table: pd.DataFrame, kind: str) -> str:
    """The barriers on the lines."""
    lines = table[table["line"].isin(["straight", "curved"])] if kind == "curve" else table
    barriers = figures.barrier_table(lines).set_index("Line")["Barrier"]
    if barriers.empty:
        return "No line is measured from end to end yet."
    if kind == "curve" and {"straight", "curved"} <= set(barriers.index):
        return (
            f"The straight way rises by {barriers['straight']:.3f} nats above its ends, the "
            f"trained curve by {barriers['curved']:.3f}."
        )
    top = barriers.idxmax()
    return f"The largest barrier on {len(barriers)} lines is {barriers.max():.3f} nats, on {top}."


def _finding_over_seeds(landscape: LandscapeJob) -> str:
    """Flatness with its interval, or how far validation at random points spreads."""
    measures = landscape.measures()
    if measures.empty:
        return "Nothing is measured yet."
    if landscape.request.kind == "flatness":
        rows = flatness_figures.flatness_table(measures)
        rises = rows[rows["Measure"] == flatness_figures.MEASURE_TITLES["rise"][0]]
        row = (rises if len(rises) else rows).iloc[0]
        interval = (
            f", 95 % interval over seeds {row['Low']:.3g} to {row['High']:.3g}"
            if pd.notna(row["Low"])
            else ""
        )
        return f"{row['Measure']}: {row['Mean']:.3g} on average{interval}."
    points = measures[measures["look"] == "points"]
    if points.empty:
        return "Nothing is measured yet."
    spread = pd.Series([pd.Series(values).std() for values in points["values"]]).mean()
    return (
        f"Read at one random point, the validation loss varies by {spread:.3g} (standard "
        f"deviation, mean of {len(points)} seeds)."
    )


def quiet_line(landscape: LandscapeJob) -> str:
    """Where a landscape comes from, and the command that makes it."""
    facts, words = landscape.facts, landscape.request.command_arguments()
    return provenance(
        figures.facts_text(facts),
        f"base {facts.get('base')} ({str(facts.get('fingerprint', ''))[:8]})",
        command=" ".join(map(shlex.quote, words)),
    )
