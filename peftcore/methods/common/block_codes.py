"""Codes a frozen matrix sparsely: every square block of it as a sum of a few atoms.

The dictionary is learned from the matrix itself, alternating codes (FISTA) with one update of each
atom (Mairal and others, 2009, arXiv:0908.0050).  An adapter's file has atoms but no codes: they are
computed again on whatever machine opens it, so they belong to the meaning of every stored run and
must not change.  That is why this is not scikit-learn's `dict_learning`, which finds other codes; a
test has the numbers.  Everything runs in double precision from fixed random numbers and is
continuous in the matrix, so rounding moves codes by rounding only.  The workspace caches them.

Axes: matrix (i, o), block side k, atoms a, rows n (blocks) of b = k · k numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from peftcore import paths
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.models.structure import TargetSlice

DICTIONARY_ROUNDS = 10  # of codes, then atoms
FISTA_STEPS = 20  # in a round
FINAL_FISTA_STEPS = 40  # for the codes that are kept
MAX_SAMPLE_BLOCKS = 1024  # blocks the dictionary is learned from


@dataclass(frozen=True)
class SparseCoding:
    """Codes (i / k, o / k, a) of a matrix (i, o), and its unit-length atoms (a, k, k)."""

    codes: Tensor
    atoms: Tensor


def cached_coding(
    base: BaseModel, part: TargetSlice, block: int, atoms: int, price: float
) -> SparseCoding:
    """Return the coding of one part's matrix, from the workspace if it was computed before."""
    groups = f" {part.groups}" if part.groups > 1 else ""
    cache_key = (
        f"{base.fingerprint} {part.path} {part.start} {part.stop}{groups} {block} {atoms} "
        f"{price!r} 1"
    )
    name = hashlib.sha256(cache_key.encode()).hexdigest()[:24]
    path = paths.workspace_folder() / "codes" / f"{name}.safetensors"
    shape = (part.inputs // block, part.outputs // block, atoms)
    if path.is_file():
        stored = load_file(path)
        flat = torch.zeros(shape).flatten()
        flat[stored["places"].long()] = stored["values"]
        return SparseCoding(flat.view(shape), stored["atoms"])
    new_coding = sparse_code(weight_matrix(base, part), block, atoms, price)
    _store_coding(path, new_coding)
    return new_coding


def _store_coding(path: Path, new_coding: SparseCoding) -> None:
    flat = new_coding.codes.flatten()
    indices = flat.nonzero()[:, 0]
    path.parent.mkdir(exist_ok=True)
    tensors = {"places": indices.int(), "values": flat[indices], "atoms": new_coding.atoms}
    atomic_files.replace_file(path, save(tensors))


def weight_matrix(base: BaseModel, part: TargetSlice) -> Tensor:
    """Return a part's weights (i, o) in double precision."""
    module = base.model.get_submodule(part.path)
    weight = module.weight.detach().cpu().double()
    if type(module).__name__ != "Conv1D":
        weight = weight.mT  # torch's linear layers store (o, i), GPT-2's Conv1D (i, o)
    return part.columns.take(weight)


def sparse_code(weight: Tensor, block: int, atoms: int, price: float) -> SparseCoding:
    """Code a matrix (i, o) whose sides the block divides.

    price: what a code of 1 costs against half the squared error, with weights scaled to standard
    deviation 1; so codes scale with the matrix and atoms do not.
    """
    i, o = weight.shape
    spread = weight.std().clamp(min=1e-12)
    blocks = (weight / spread).view(i // block, block, o // block, block).transpose(1, 2)
    rows = blocks.reshape(-1, block * block)  # (n, b)
    dictionary = _learn_dictionary(rows, atoms, price)
    codes = _fista_codes(rows, dictionary, price, FINAL_FISTA_STEPS) * spread  # (n, a)
    return SparseCoding(
        codes.view(i // block, o // block, atoms).float(),
        dictionary.view(atoms, block, block).float(),
    )


def _learn_dictionary(rows: Tensor, atoms: int, price: float) -> Tensor:
    """Learn unit atoms (a, b) that code these rows (n, b) well."""
    rng = torch.Generator().manual_seed(0)
    sample = rows[torch.randperm(len(rows), generator=rng)[:MAX_SAMPLE_BLOCKS]]
    initial = torch.randn(atoms, rows.shape[1], generator=rng).double()
    first = sample[: atoms // 2]
    # Half start near blocks that occur; the rest at random, for what the first ones leave.
    initial[: len(first)] += first * 3
    dictionary = _normalize(initial)
    for _ in range(DICTIONARY_ROUNDS):
        codes = _fista_codes(sample, dictionary, price, FISTA_STEPS)  # (n, a)
        usage, wanted = codes.mT @ codes, codes.mT @ sample  # (a, a), (a, b)
        for j in range(atoms):
            # The small number keeps an atom that is hardly used where it is.  Replacing it by a
            # random one, as is usual, would make the result jump with the rounding.
            step = (wanted[j] - usage[j] @ dictionary) / (usage[j, j] + 1e-3)
            dictionary[j] = _normalize(dictionary[j] + step)
    return dictionary


def _fista_codes(rows: Tensor, dictionary: Tensor, price: float, steps: int) -> Tensor:
    """Return codes (n, a) of rows (n, b) that minimise ½‖row − code D‖² + price ‖code‖₁, by FISTA.

    A fixed number of steps rather than a tolerance, which rounding could meet a step earlier.
    """
    overlap, read = dictionary @ dictionary.mT, rows @ dictionary.mT
    bound = torch.linalg.matrix_norm(overlap, 1)  # no eigenvalue is larger, so steps converge
    code = extrapolated = torch.zeros_like(read)
    momentum = 1.0
    for _ in range(steps):
        moved = extrapolated - (extrapolated @ overlap - read) / bound
        new = moved - moved.clamp(-price / bound, price / bound)  # exact zeros come from here
        next_momentum = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        extrapolated = new + (momentum - 1) / next_momentum * (new - code)
        code, momentum = new, next_momentum
    return code


def _normalize(atoms: Tensor) -> Tensor:
    """Scale atoms (a, b) to length one."""
    return atoms / atoms.norm(dim=-1, keepdim=True).clamp(min=1e-12)
