"""An adapter's atoms as one dictionary: read their coefficients, weigh each of them, join two.

Only `atoms` (arXiv:2507.10855, reconstruction) has coefficients that depend on the text.  Weighing
multiplies an atom by a gain: 0 removes it, 1 leaves it, anything else scales what it adds; the
coefficients of its own matrix stay as they are unless atoms compete (`rounds` above 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.initializers import SeededInitializer
from peftcore.analysis.sparsity import Array
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.common.interpolation import PointEvaluator, centroid_span, span_of_run
from peftcore.labs.scaling import readout
from peftcore.methods.atoms import SparseAtoms
from peftcore.models import target_modules
from peftcore.models.batching import Batch, Encoder
from peftcore.training import batch_budget
from peftcore.training.evaluation import length_batches

if TYPE_CHECKING:
    from peftcore.models.structure import Part

ALIKE = ("relative", "rounds")  # settings that two dictionaries must share to be one


class Dictionary:
    """The atoms of the adapter each seed deploys, and its members at gains, one for every atom.

    Sites are the matrices that have atoms; atom number i is atom i % m of site i // m.
    """

    def __init__(self, adapted: AdaptedModel) -> None:
        if not isinstance(adapted.adapter, SparseAtoms):
            raise BadInput(
                f"{adapted.adapter.title} has no coefficients of atoms to look at; "
                f"train a run of {SparseAtoms.title} (atoms)"
            )
        self.adapted = centroid_span(span_of_run(adapted))
        self.base, self.tensors, self.seeds = adapted.base, self.adapted.tensors, adapted.seeds
        self.parts: list[Part] = adapted.adapter.matrices
        self.sites = [target_modules.key(part) for part in self.parts]
        self.config = adapted.adapter.config
        self.each = int(self.config.atoms)  # atoms of a site

    @property
    def size(self) -> int:
        """Atoms of all sites."""
        return len(self.sites) * self.each

    def norms(self) -> Array:
        """Length of every atom (s, sites, m)."""
        held = [self.tensors[f"atoms:{site}"][:, 0] for site in self.sites]
        return torch.stack([t.double().norm(dim=-1) for t in held], 1).cpu().numpy()

    def at_gains(self, seed: int, gains: Tensor) -> AdaptedModel:
        """One seed at gains (p, sites · m), as p members of their own."""
        return self.adapted.with_tensors(self.scaled_tensors(self.adapted, seed, gains))

    def evaluator(
        self,
        seed: int,
        examples: Sequence[Example],
        encoder: Encoder,
        autocast: torch.dtype | None = None,
    ) -> PointEvaluator:
        """Measures one seed at gains (p, sites · m) on these examples."""
        return PointEvaluator(
            self.adapted,
            seed,
            examples,
            encoder,
            autocast,
            points_to_tensors=self.scaled_tensors,
        )

    def scaled_tensors(self, adapted: AdaptedModel, seed: int, points: Tensor) -> dict[str, Tensor]:
        """The tensors (p, 1, …) of one seed whose atoms are multiplied by gains (p, sites · m)."""
        gains = points.to(adapted.base.device).view(len(points), len(self.sites), self.each)
        held = {
            name: t[seed : seed + 1].expand(len(points), *t.shape[1:])
            for name, t in adapted.tensors.items()
        }
        for place, site in enumerate(self.sites):
            name = f"atoms:{site}"
            held[name] = held[name] * gains[:, None, place, :, None].to(held[name].dtype)
        return held

    def without(self, *atoms: int) -> Tensor:
        """Gains (1, sites · m) that remove these atoms and leave the others."""
        gains = torch.ones(1, self.size)
        gains[:, list(atoms)] = 0.0
        return gains

    @torch.no_grad()
    def read(self, seed: int, examples: Sequence[Example], encoder: Encoder) -> list[Array]:
        """Coefficients (positions, m) of every site while one seed reads examples and answers.

        Positions are those of the text, or of the given answer in a decoder; padding is left out.
        """
        member = self.at_gains(seed, torch.ones(1, self.size))
        found: list[list[Array]] = [[] for _ in self.sites]
        for places in length_batches(encoder, examples, 1, batch_budget.token_budget(self.base)):
            batch = encoder.batch([examples[i] for i in places])
            notes = member.notes(batch, torch.ones(1, 1, 1))
            for held, part in zip(found, self.parts, strict=True):
                codes = notes[target_modules.key(part)]
                real = self._positions(part, batch)[:, -codes.shape[1] :]
                held.append(codes[real.to(torch.bool)].float().cpu().numpy())
        return [np.concatenate(held) for held in found]

    def limits(self, site: str, seed: int) -> Tensor:
        """The threshold of every atom of a site for one seed, (1, 1, 1, m)."""
        name = f"threshold:{site}"
        if name in self.tensors:
            return self.tensors[name][[seed]].expand(1, 1, 1, self.each)
        like = self.tensors[f"atoms:{site}"]
        return torch.full((1, 1, 1, self.each), self.config.threshold).to(like)

    def _positions(self, part: Part, batch: Batch) -> Tensor:
        """Which positions (n, t) of what a part reads are not padding."""
        if self.base.kind != "encoder-decoder":
            return batch.mask
        reads_encoder = part.component in ("cross.key", "cross.value")
        return self.adapted.token_masks(batch, batch.mask)[
            "encoder" if reads_encoder else part.stack
        ]


@dataclass(frozen=True)
class Token:
    """One token that a site read: its text and the coefficients (m,) there."""

    text: str
    codes: Array


def tokens(
    found: Dictionary, seed: int, example: Example, encoder: Encoder, place: int
) -> list[Token]:
    """What every token of an example calls up at one site; a decoder's read the answer so far."""
    part = found.parts[place]
    codes = found.read(seed, [example], encoder)[place]
    row = encoder.row(example)
    ids = row.ids
    if found.base.kind == "encoder-decoder" and part.stack == "decoder":
        if part.component not in ("cross.key", "cross.value"):
            start = found.base.model.config.decoder_start_token_id
            ids = [start, *row.target[:-1]]
    elif found.base.kind == "decoder":
        ids = row.ids + row.target
    words = readout.names(found.base, ids)
    return [Token(word, each) for word, each in zip(words, codes, strict=True)]


def joined(first: Dictionary, second: Dictionary, seeds: tuple[int, int] = (0, 0)) -> Dictionary:
    """One member with the atoms of both: at every site the first's, then the second's.

    BadInput unless both rest on the same weights, have atoms at the same sites and count alike.
    """
    if first.base.fingerprint != second.base.fingerprint:
        raise BadInput("the atoms belong to different base models and cannot be put together")
    if first.sites != second.sites:
        raise BadInput("the atoms sit at different matrices; only runs with equal sites combine")
    if first.adapted.labels:
        raise BadInput(f"{first.base.name} answers by a head, and two heads cannot both be read")
    one, other = first.config, second.config
    for name in ALIKE:
        if getattr(one, name) != getattr(other, name):
            raise BadInput(
                f"the runs were trained with different {name}: "
                f"{getattr(one, name)} and {getattr(other, name)}"
            )
    if one.top_k or other.top_k:
        raise BadInput("runs that keep the largest coefficients (top_k) would compete; set it to 0")
    config = one.model_copy(update={"atoms": one.atoms + other.atoms, "learned_threshold": True})
    draw = SeededInitializer([0], 1, str(first.base.device))
    worn = AdaptedModel(first.base, SparseAtoms(first.base, config, draw), draw)
    held: dict[str, Tensor] = {}
    for site in first.sites:
        pair = list(zip((first, second), seeds, strict=True))
        for kind, axis in (("encode", -1), ("atoms", -2)):
            values = [each.tensors[f"{kind}:{site}"][[s]] for each, s in pair]
            held[f"{kind}:{site}"] = torch.cat(values, axis)
        held[f"threshold:{site}"] = torch.cat([each.limits(site, s) for each, s in pair], -1)
    return Dictionary(worn.with_tensors(held))


def shares(both: Dictionary, first: int, mixes: Sequence[tuple[float, float]]) -> Tensor:
    """Gains (p, sites · m) of joined atoms: of the first run's `first` at a site, and the rest."""
    gains = torch.empty(len(mixes), len(both.sites), both.each)
    for row, (one, other) in zip(gains, mixes, strict=True):
        row[:, :first], row[:, first:] = one, other
    return gains.flatten(1)
