"""What the Weights page shows, in sentences computed from it."""

from __future__ import annotations

import shlex

import pandas as pd

from app.figures import weights as figures
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.labs.weights.request import SITE, WeightsJob

COMPARED = {  # form → what a size is relative to
    "matrix": "of the base's own",
    "vector": "of the base's own",
    "function": "of the base's own",
    "keys": "times as long as the base's keys",
    "values": "times as long as the base's values",
    "tokens": "times as long as the base's words",
}
VERBS = {
    "relative": "is largest in",
    "effect": "changes outputs most in",
    "stable_rank": "is spread over most directions in",
    "intruders": "brings most intruder directions in",
}

ONE_VERBS = {
    "relative": "is",
    "effect": "changes outputs by",
    "stable_rank": "is spread over",
    "intruders": "brings",
}


def map_finding(
    name: str, measure: str, sites: pd.DataFrame, means: pd.DataFrame
) -> tuple[str, str]:
    """Say where a measure is largest, and in how many seeds that is so."""
    placed = figures.add_places(means).sort_values("mean", ascending=False)
    top, last = placed.iloc[0], placed.iloc[-1]
    where = place_in_words(top)
    unit = {
        "relative": COMPARED[str(top["form"])],
        "effect": "of the base's output",
        "stable_rank": "directions",
        "intruders": "of the strongest directions",
    }[measure]
    words = f"What {name} trains {VERBS[measure]} {where}: {top['mean']:.3g} {unit}"
    if measure == "effect":
        words = f"{name} {VERBS[measure]} {where}: by {top['mean']:.3g} {unit}"
    if len(placed) == 1:
        words = f"What {name} trains {ONE_VERBS[measure]} {top['mean']:.3g} {unit}"
    else:
        words += f"; least in {place_in_words(last)}, {last['mean']:.3g}"
    wins, seeds = _seeds_with_largest(sites, measure, top)
    spread = f"its seeds {top['min']:.3g} to {top['max']:.3g}"
    agree = f"largest there in {wins} of {seeds} seeds" if len(placed) > 1 else f"{seeds} seeds"
    return f"{words}.", escape_markdown(f"{agree} · {spread} · these are ranges, not intervals")


def _seeds_with_largest(sites: pd.DataFrame, measure: str, top: pd.Series) -> tuple[int, int]:
    """Return in how many seeds, of how many, a site has the largest value of all."""
    known = sites.dropna(subset=[measure])
    peaks = known.loc[known.groupby("seed")[measure].idxmax()]
    same = (peaks["path"] == top["path"]) & (peaks["component"] == top["component"])
    same &= peaks["form"] == top["form"]
    return int(same.sum()), len(peaks)


def place_in_words(site: pd.Series) -> str:
    """Name a cell of the map: its column and its row."""
    return f"{str(site['column']).lower()}, {site['row']}"


def overlap_finding(
    means: pd.DataFrame, overlaps: pd.DataFrame, side: str, between: str
) -> tuple[str, str]:
    """Say how alike the directions of seeds or runs are, beside chance."""
    mean, chance = overlaps[side].mean(), overlaps[f"{side}_chance"].mean()
    times = mean / chance
    verdict = (
        "hardly more than chance"
        if times < 1.5
        else f"{times:.1f} times chance, and far from the same"
        if mean < 0.5
        else "mostly the same directions"
    )
    words = f"Between {between}, what changes {'read' if side == 'inputs' else 'write'} overlaps "
    words += f"by φ = {mean:.2f}: {verdict}."
    pairs = overlaps["seeds"].map(tuple).nunique()
    k = sorted(set(overlaps["k"]))
    span = f"sites from {means['mean'].min():.2f} to {means['mean'].max():.2f}"
    return words, escape_markdown(
        f"chance {chance:.2f} · {pairs} pairs · {span} · k = {', '.join(map(str, k))}"
    )


def trained_finding(name: str, parts: pd.DataFrame, total: int) -> tuple[str, str]:
    """Say how much one seed trains, and where most of it lies."""
    count = int(parts["count"].sum())
    by_place = parts.groupby(["stack", "component"], sort=False)["count"].sum()
    words = f"{name} trains {count:,} numbers a seed, {100 * count / total:.3g} % of the base's"
    stack, component = by_place.idxmax()
    if by_place.nunique() > 1:
        words += f"; {by_place.max() / count:.0%} of them in {stack}, {component}"
    elif len(by_place) > 1:
        words += f"; as many in each of {len(by_place)} components"
    return f"{words}.", "counted from the tensors themselves, a classification head too"


def quiet_line(job: WeightsJob, on_examples: bool = False) -> str:
    """Where a measurement comes from, and the command that makes it."""
    facts = job.facts
    return provenance(
        f"outputs on {facts.get('n')} validation examples" if on_examples else "",
        f"base {facts.get('base')} ({str(facts.get('fingerprint', ''))[:8]})",
        f"adapters {', '.join(facts.get('adapters', []))}",
        command=" ".join(map(shlex.quote, job.request.command_arguments())),
    )


def site_rows(sites: pd.DataFrame, site: str) -> pd.DataFrame:
    """Return the seeds of one site, named by component and path."""
    return sites[sites["component"] + ":" + sites["path"] == site]


def largest_site(means: pd.DataFrame) -> str:
    """Return component and path of the site with the largest mean."""
    top = means.loc[means["mean"].idxmax(), SITE]
    return f"{top['component']}:{top['path']}"
