"""Whether atoms kept in one order are better than as many at random: a verdict at each number.

Draws of a seed share its adapter, so a seed counts once, with the mean of its draws; orders are
paired by seed. All seeds are judged on the same examples, of which only the means are kept, so
verdicts are about other seeds on these examples.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from peftcore.analysis import judgement, run_tables, verdicts
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import Population, SeedItemTable
from peftcore.analysis.verdicts import VERDICT_COLUMNS
from peftcore.metrics.scores import find_measure

POPULATION: Population = "these examples"
LOSS = "loss"
LOSS_MARGIN = 0.02  # nats by which losses may differ and be equal
COLUMNS = ["order", "k", *(name for name in VERDICT_COLUMNS if name not in ("first", "second"))]


def against_random(table: pd.DataFrame, what: str, metric: str) -> pd.DataFrame:
    """Judge each order against random order at each number of atoms; COLUMNS.

    table: as of `request.pruning_curves`. metric: of the values of `what`, LOSS for losses. Holm
    counts every order and number. With no atom and with all every order is the same: left out.
    """
    tables = _seed_tables(table[table["what"] == what])
    pairs = [(("random", k), (order, k)) for order, k in tables if order != "random"]
    names = {key: f"{key[0]} {key[1]}" for key in tables}
    found = verdicts.pair_verdicts(
        {names[key]: each for key, each in tables.items()},
        margin_of(metric),
        POPULATION,
        within=difference_range(metric),
        lowest_first=metric == LOSS or find_measure(metric).better == "lower",
        pairs=[(names[one], names[other]) for one, other in pairs if one in tables],
    )
    keys = [other for one, other in pairs if one in tables]
    found.insert(0, "order", [order for order, _ in keys])
    found.insert(1, "k", [k for _, k in keys])
    return found[COLUMNS]


def margin_of(metric: str) -> float:
    """Return the largest difference of a metric that counts as none."""
    if metric == LOSS:
        return LOSS_MARGIN
    return judgement.DEFAULT_MARGIN / judgement.points_scale(metric)


def _seed_tables(rows: pd.DataFrame) -> dict[tuple[str, int], SeedItemTable]:
    """Return (order, k) → the values of its seeds, by k, without the ends."""
    values = rows.dropna(subset=["value"]).groupby(["order", "k", "seed"])["value"].mean()
    counts = sorted(set(rows["k"]))
    tables = {}
    for (order, k), by_seed in values.groupby(level=["order", "k"]):
        if counts[0] < k < counts[-1]:
            seeds = [int(seed) for seed in by_seed.index.get_level_values("seed")]
            tables[order, int(k)] = run_tables.table_of_seeds(seeds, by_seed.tolist())
    return dict(sorted(tables.items(), key=lambda item: item[0][1]))


def order_in_words(found: pd.DataFrame, order: str) -> str:
    """Return at which numbers of atoms an order is ahead of random, behind, equal, or open."""
    own = found[found["order"] == order]
    return ", ".join(_verdict_counts(own))


def _verdict_counts(rows: pd.DataFrame) -> Iterator[str]:
    """Yield each verdict with the numbers of atoms at which it is passed."""
    for verdict in ("ahead", "equal", "behind", "cannot tell"):
        counts = rows.loc[rows["verdict"] == verdict, "k"]
        if len(counts):
            yield f"{verdict} at {', '.join(map(str, counts))}"


def difference_in_words(row: pd.Series, metric: str) -> str:
    """Return the difference to random order with its interval: points, or nats of a loss."""
    if metric != LOSS:
        return judgement.difference_in_words(row, metric)
    words = f"{row['difference']:+.3f} nats"
    if pd.isna(row["low"]):
        return f"{words}; {row['reason']}" if row["reason"] else words
    return f"{words}, {row['low']:+.3f} to {row['high']:+.3f}"


def basis_in_words(found: pd.DataFrame, metric: str) -> str:
    """Return what the verdicts rest on: seeds, population, margin and correction."""
    counts = sorted(set(found["seeds"]))
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    margin = f"{LOSS_MARGIN:g} nats" if metric == LOSS else f"{judgement.DEFAULT_MARGIN:g} points"
    return (
        f"{seeds} {'seed' if counts == [1] else 'seeds'}, about other seeds on these examples, "
        f"margin {margin}, Holm over {len(found)} {'pair' if len(found) == 1 else 'pairs'}"
    )
