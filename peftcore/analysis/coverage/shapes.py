"""How seeds spread in simulations: normal, skewed, or one in five that fails outright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from peftcore.analysis.few_seeds import MANY_SEEDS

Array = NDArray[np.float64]
Shape = Literal["normal", "skewed", "strongly skewed", "two groups"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
GAMMA_SHAPE = {"skewed": 2.0, "strongly skewed": 1.0}  # skewness −1.4 and −2
FAILING = 0.2  # share of seeds that fail in "two groups"
POPULATION = 100_000  # seeds behind a true value


@dataclass(frozen=True)
class Case:
    """One cell of a simulation: how seeds spread, how much, and how many seeds and items.

    Where people judge, `seeds` counts raters.
    """

    shape: Shape
    seeds: int
    items: int = 0
    spread: float = 0.3  # standard deviation of seeds, on the scale of the simulation
    balanced: bool = False  # items drawn as many of each label

    @property
    def counts_failing(self) -> bool:
        """Return whether an interval speaks of failing seeds too, or only of seeds as they learn.

        Few seeds of which none failed cannot show that one in five does: their interval is about
        seeds like those seen.
        """
        return self.seeds >= MANY_SEEDS


def draw_seeds(rng: np.random.Generator, case: Case, drop: float, n: int | None = None) -> Array:
    """Draw effects (n,) of seeds, those that fail lower by `drop`; n is the case's unless given."""
    count = case.seeds if n is None else n
    if case.shape in GAMMA_SHAPE:  # a longer tail to low scores
        alpha = GAMMA_SHAPE[case.shape]
        return case.spread * (alpha - rng.gamma(alpha, size=count)) / np.sqrt(alpha)
    effects = case.spread * rng.normal(size=count)
    if case.shape == "two groups":
        effects -= drop * (rng.random(count) < FAILING)
    return effects


def seeds_of_truth(case: Case, drop: float) -> Array:
    """Draw the many seeds (n,) over which a true value is taken, the same for equal cases."""
    spoken_of = drop if case.counts_failing else 0.0
    return draw_seeds(np.random.default_rng(1), case, spoken_of, POPULATION)
