"""Sparse codes of a frozen matrix: every square block of it as a few atoms of a dictionary.

The dictionary is learned from the matrix itself by turns: codes by accelerated shrinkage, then one
atom after another (Mairal and others, 2009, arXiv:0908.0050).  Everything runs in double precision
from fixed draws, and every step is continuous in what it gets, so that another machine finds the
same codes and an adapter need not carry them.  They are kept under `paths.home()` for next time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from peftcore import paths
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.models.structure import Part

TURNS, SHRINKS, LAST_SHRINKS = 10, 20, 40  # turns; shrinkage steps in a turn, and after the last
SAMPLE = 1024  # blocks the dictionary is learned from


@dataclass(frozen=True)
class Coding:
    """Codes (i / k, o / k, a) of a matrix (i, o), and the unit atoms (a, k, k) they belong to."""

    codes: Tensor
    atoms: Tensor


def of_part(base: BaseModel, part: Part, block: int, atoms: int, price: float) -> Coding:
    """The coding of one part's matrix, from this machine's store if it was made before."""
    asked = f"{base.fingerprint} {part.path} {part.start} {part.stop} {block} {atoms} {price!r} 1"
    name = hashlib.sha256(asked.encode()).hexdigest()[:24]
    path = paths.home() / "codes" / f"{name}.safetensors"
    shape = (part.inputs // block, (part.stop - part.start) // block, atoms)
    if path.is_file():
        from safetensors.torch import load_file

        held = load_file(path)
        flat = torch.zeros(shape).flatten()
        flat[held["places"].long()] = held["values"]
        return Coding(flat.view(shape), held["atoms"])
    made = coding(matrix(base, part), block, atoms, price)
    _keep(path, made)
    return made


def _keep(path: Path, made: Coding) -> None:
    from safetensors.torch import save

    flat = made.codes.flatten()
    places_ = flat.nonzero()[:, 0]
    path.parent.mkdir(exist_ok=True)
    held = {"places": places_.int(), "values": flat[places_], "atoms": made.atoms}
    atomic_files.replace(path, save(held))


def matrix(base: BaseModel, part: Part) -> Tensor:
    """A part's weights (i, o) in double precision."""
    leaf = base.model.get_submodule(part.path)
    weight = leaf.weight.detach().cpu().double()
    if type(leaf).__name__ != "Conv1D":
        weight = weight.mT
    return weight[:, part.start : part.stop]


def coding(weight: Tensor, block: int, atoms: int, price: float) -> Coding:
    """Codes of a matrix (i, o) whose sides the block divides.

    price: what a code of one costs against squared error, with the weights scaled to a spread of 1.
    """
    i, o = weight.shape
    spread = weight.std().clamp(min=1e-12)
    cut = (weight / spread).view(i // block, block, o // block, block).transpose(1, 2)
    rows = cut.reshape(-1, block * block)
    dictionary = _learned(rows, atoms, price)
    codes = _codes(rows, dictionary, price, LAST_SHRINKS) * spread
    return Coding(
        codes.view(i // block, o // block, atoms).float(),
        dictionary.view(atoms, block, block).float(),
    )


def _learned(rows: Tensor, atoms: int, price: float) -> Tensor:
    """Unit atoms (a, b) that code these rows (n, b) well."""
    rng = torch.Generator().manual_seed(0)
    sample = rows[torch.randperm(len(rows), generator=rng)[:SAMPLE]]
    drawn = torch.randn(atoms, rows.shape[1], generator=rng).double()
    first = sample[: atoms // 2]
    drawn[: len(first)] += first * 3  # half of them near blocks that occur
    dictionary = _unit(drawn)
    for _ in range(TURNS):
        codes = _codes(sample, dictionary, price, SHRINKS)
        usage, wanted = codes.mT @ codes, codes.mT @ sample
        for j in range(atoms):
            # The small number keeps an atom that is hardly used where it is.
            step = (wanted[j] - usage[j] @ dictionary) / (usage[j, j] + 1e-3)
            dictionary[j] = _unit(dictionary[j] + step)
    return dictionary


def _codes(rows: Tensor, dictionary: Tensor, price: float, steps: int) -> Tensor:
    """Codes (n, a) of least ½‖row − code D‖² + price ‖code‖₁, by accelerated shrinkage."""
    overlap, read = dictionary @ dictionary.mT, rows @ dictionary.mT
    bound = torch.linalg.matrix_norm(overlap, 1)  # no eigenvalue is larger
    code = ahead = torch.zeros_like(read)
    pace = 1.0
    for _ in range(steps):
        moved = ahead - (ahead @ overlap - read) / bound
        new = moved - moved.clamp(-price / bound, price / bound)
        faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead = new + (pace - 1) / faster * (new - code)
        code, pace = new, faster
    return code


def _unit(atoms: Tensor) -> Tensor:
    return atoms / atoms.norm(dim=-1, keepdim=True).clamp(min=1e-12)
