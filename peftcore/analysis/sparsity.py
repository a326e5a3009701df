"""Sparsity of atoms' coefficients, importance of atoms, and which to keep.

Codes are coefficients (…, m) of m atoms at any number of positions; weights are one number (m,) for
each atom, none negative. Models belong to `labs.atoms`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from peftcore.analysis.comparison import ANY_VALUE, Interval, interval

Array = NDArray[np.floating]
IntArray = NDArray[np.integer]


def zero_fraction(codes: ArrayLike) -> float:
    """Return the share of coefficients (…, m) that are exactly zero; nan if there are none."""
    values = np.asarray(codes)
    return float((values == 0).mean()) if values.size else math.nan


def mean_l0(codes: ArrayLike) -> float:
    """Return the mean number of non-zero coefficients (…, m) at a position."""
    values = np.asarray(codes)
    return float((values != 0).sum(-1).mean()) if values.size else math.nan


def hoyer(codes: ArrayLike) -> Array:
    """Return Hoyer's measure of each row (…, m) → (…): 0 if all are equal, 1 if one is left.

    (√m − ‖a‖₁ / ‖a‖₂) / (√m − 1); nan where a row is all zero, or has one entry only.
    """
    sizes = np.abs(np.asarray(codes, dtype=np.float64))
    root = math.sqrt(sizes.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sizes.sum(-1) / np.sqrt(np.square(sizes).sum(-1))
        result: Array = (root - ratio) / np.where(root > 1, root - 1, np.nan)
    return result


def mean_hoyer(codes: ArrayLike) -> float:
    """Return the mean of Hoyer's measure over positions that use any atom; nan if none does."""
    values = hoyer(codes)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def lorenz(weights: ArrayLike) -> tuple[Array, Array]:
    """Return shares of atoms, smallest weights first, and of the total that they hold.

    Both (m + 1,), from 0 to 1; equal weights give the diagonal. nan where the total is zero.
    """
    sorted_weights = np.sort(np.asarray(weights, dtype=np.float64))
    total = sorted_weights.sum()
    reached = np.concatenate([[0.0], np.cumsum(sorted_weights)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.linspace(0, 1, len(sorted_weights) + 1), reached / (total if total else np.nan)


def gini(weights: ArrayLike) -> float:
    """Return Gini's coefficient: 0 if all atoms weigh the same, (m − 1) / m if only one does.

    The area between the Lorenz curve and the diagonal, as a share of that below the diagonal.
    """
    x, y = lorenz(weights)
    return float(1 - ((y[1:] + y[:-1]) * np.diff(x)).sum())


def effective_number(weights: ArrayLike) -> float:
    """Return the participation ratio (Σ w)² / Σ w², the number of equally important atoms.

    m if all weigh the same, 1 if one weighs everything; nan if there are none.
    """
    values = np.asarray(weights, dtype=np.float64)
    square = float(np.square(values).sum())
    return float(values.sum() ** 2 / square) if square else math.nan


def atom_usage(codes: ArrayLike) -> Array:
    """Return the share of positions at which each atom is used: (…, m) → (m,)."""
    values = np.asarray(codes)
    used_share: Array = (values.reshape(-1, values.shape[-1]) != 0).mean(0)
    return used_share


def atom_importance(codes: ArrayLike, norms: ArrayLike) -> Array:
    """Return mean coefficient size times atom length: (…, m) and (m,) → (m,)."""
    sizes = np.abs(np.asarray(codes, dtype=np.float64))
    return sizes.reshape(-1, sizes.shape[-1]).mean(0) * np.asarray(norms, dtype=np.float64)


def rank_atoms(weights: ArrayLike) -> IntArray:
    """Return the positions (m,) of weights (m,), largest first; ties keep their order."""
    return np.argsort(-np.asarray(weights, dtype=np.float64), kind="stable")


def fill_untried(values: Array, tried: IntArray, importance: Array) -> Array:
    """Return values (m,) of all atoms from those of the tried ones (k,), the rest below them.

    importance: (m,), by which the rest are ordered among themselves.
    """
    filled = np.zeros(len(importance))
    filled[tried] = values
    rest = np.setdiff1d(np.arange(len(importance)), tried)
    order = rest[rank_atoms(np.asarray(importance)[rest])]
    step = max(1e-6, float(np.ptp(values))) / (len(importance) + 1)
    filled[order] = values.min() - step * np.arange(1, len(rest) + 1)
    return filled


def shuffle_atoms(atoms: int, draw_index: int, seed: int) -> IntArray:
    """Return all atoms in random order (m,), another one for every draw and seed."""
    return np.random.default_rng([draw_index, seed]).permutation(atoms)


def kept_mask(order: Sequence[int] | IntArray, k: int) -> NDArray[np.bool_]:
    """Return which atoms stay if the first k of an order are kept: (m,)."""
    mask = np.zeros(len(order), dtype=bool)
    mask[np.asarray(order[:k], dtype=int)] = True
    return mask


def pruning_counts(atoms: int) -> list[int]:
    """List how many atoms to keep along a curve: none, all, and powers of two between."""
    between = [2**power for power in range(atoms.bit_length()) if 2**power < atoms]
    return [0, *between, atoms]


def interval_over_seeds(values: ArrayLike, within: tuple[float, float] = ANY_VALUE) -> Interval:
    """Return mean and 95 % interval over seeds of values (s, draws), draws averaged first.

    within: the smallest and largest value there can be.

    Draws of one seed share its adapter, so they are not independent and do not count as such.
    """
    return interval(np.asarray(values, dtype=np.float64).mean(1).tolist(), within)


@dataclass(frozen=True)
class Sparsity:
    """Summary of the codes and atoms of one adapter."""

    zeros: float  # share of coefficients
    l0: float  # atoms used at a position, of all matrices together
    hoyer: float  # mean over positions
    gini: float  # of importance
    effective: float  # atoms, by participation of importance
    dead: int  # atoms never used
    always: int  # atoms used everywhere
    atoms: int


def summarize_sparsity(
    zero_share: float, used: float, spread: float, frequency: ArrayLike, weights: ArrayLike
) -> Sparsity:
    """Summarise one adapter from shares, usage (m,) and importance (m,) of its atoms."""
    often = np.asarray(frequency, dtype=np.float64)
    return Sparsity(
        zero_share,
        used,
        spread,
        gini(weights),
        effective_number(weights),
        int((often == 0).sum()),
        int((often == 1).sum()),
        len(often),
    )
