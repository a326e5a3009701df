"""What changes from one run to another, item by item: right to wrong, wrong to right.

McNemar's test (1947) looks at the answers that changed alone. Within a seed items are independent
and the test is exact; over all seeds an item's answers belong together, so the pooled test counts
each item once with the sum of its changes (Durkalski and others 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from peftcore.analysis.inference import SeedItemTable, common_part
from peftcore.analysis.verdicts import holm

ITEM_COLUMNS = ["example", "lost", "gained", "kept", "missed", "seeds"]
SEED_COLUMNS = ["seed", "lost", "gained", "kept", "missed", "p", "holm"]


@dataclass(frozen=True)
class Flips:
    """Changes from a first to a second run on their common seeds and items.

    items: one row per item, ITEM_COLUMNS, in how many seeds it was lost (right to wrong), gained,
    kept right, missed by both. seeds: one row per seed, SEED_COLUMNS, with exact p and p after Holm
    over the seeds. p: of the pooled test; None if nothing changed.
    """

    items: pd.DataFrame
    seeds: pd.DataFrame
    p: float | None

    @property
    def lost(self) -> int:
        """Answers that went from right to wrong, over all seeds."""
        return int(self.items["lost"].sum())

    @property
    def gained(self) -> int:
        """Answers that went from wrong to right, over all seeds."""
        return int(self.items["gained"].sum())


def find_flips(first: SeedItemTable, second: SeedItemTable) -> Flips:
    """Compare the answers of two runs; both tables are of accuracy, 1 for right."""
    one, other = common_part(first, second)
    before, after = one.influence() > 0.5, other.influence() > 0.5  # (s, i)
    cells = {
        "lost": before & ~after,
        "gained": ~before & after,
        "kept": before & after,
        "missed": ~before & ~after,
    }
    items = pd.DataFrame({"example": one.items} | {name: c.sum(0) for name, c in cells.items()})
    items["seeds"] = len(one.seeds)
    seeds = pd.DataFrame({"seed": one.seeds} | {name: c.sum(1) for name, c in cells.items()})
    seeds["p"] = [
        exact_mcnemar(lost, gained)
        for lost, gained in zip(seeds["lost"], seeds["gained"], strict=True)
    ]
    seeds["holm"] = holm(seeds["p"].tolist())
    p = clustered_mcnemar(items["gained"].to_numpy() - items["lost"].to_numpy())
    return Flips(items[ITEM_COLUMNS], seeds[SEED_COLUMNS].astype({"holm": float}), p)


def exact_mcnemar(lost: int, gained: int) -> float:
    """Return the two-sided exact p of as many changes one way and the other."""
    changed = int(lost + gained)
    return min(1.0, 2 * float(special.bdtr(int(min(lost, gained)), changed, 0.5)))


def clustered_mcnemar(changes: np.ndarray) -> float | None:
    """Return p of no change on the whole, from gained minus lost seeds of each item (i,)."""
    squares = float((changes.astype(float) ** 2).sum())
    if squares == 0:
        return None
    return float(special.chdtrc(1, float(changes.sum()) ** 2 / squares))
