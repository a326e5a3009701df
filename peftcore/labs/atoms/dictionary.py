"""An adapter's atoms as one dictionary: read their coefficients, scale each of them, join two.

Only `atoms` (arXiv:2507.10855, reconstruction) has coefficients that depend on the text.  Scaling
multiplies an atom by a gain: 0 removes it, 1 leaves it, anything else scales what it adds; the
coefficients of its own matrix stay as they are unless atoms compete (`rounds` above 1).

Axes: s seeds, p points (rows of gains), m atoms of a site, a atoms in all, site by site.
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
from peftcore.analysis import sparsity
from peftcore.analysis.sparsity import Array
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.common.interpolation import PointEvaluator, centroid_span, span_of_run
from peftcore.methods.atoms import SparseAtoms
from peftcore.models import target_modules
from peftcore.models.batching import Batch, ExampleBatcher
from peftcore.models.token_names import text_names
from peftcore.training import batch_budget
from peftcore.training.evaluation import length_batches

if TYPE_CHECKING:
    from peftcore.models.structure import TargetSlice

SHARED_SETTINGS = ("relative", "rounds")  # settings that two dictionaries must share to be one


class AtomDictionary:
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
        self.matrices: list[TargetSlice] = adapted.adapter.matrices
        self.sites = [target_modules.layer_key(part) for part in self.matrices]
        self.config = adapted.adapter.config
        self.atoms_per_site = int(self.config.atoms)  # atoms of a site

    @property
    def size(self) -> int:
        """Return how many atoms all sites have together."""
        return len(self.sites) * self.atoms_per_site

    def norms(self) -> Array:
        """Return the length of every atom, (s, sites, m)."""
        atom_tensors = [self.tensors[f"atoms:{site}"][:, 0] for site in self.sites]
        return torch.stack([t.double().norm(dim=-1) for t in atom_tensors], 1).cpu().numpy()

    def at_gains(self, seed: int, gains: Tensor) -> AdaptedModel:
        """Return the model with one seed at gains (p, a) as its p members."""
        return self.adapted.with_tensors(self.scaled_tensors(self.adapted, seed, gains))

    def evaluator(
        self,
        seed: int,
        examples: Sequence[Example],
        batcher: ExampleBatcher,
        autocast: torch.dtype | None = None,
    ) -> PointEvaluator:
        """Build the evaluator of one seed on these examples, whose points are gains."""
        return PointEvaluator(self.adapted, seed, examples, batcher, autocast, self.scaled_tensors)

    def scaled_tensors(self, adapted: AdaptedModel, seed: int, points: Tensor) -> dict[str, Tensor]:
        """Return the tensors (p, 1, …) of one seed, atoms multiplied by gains (p, a)."""
        gains = points.to(adapted.base.device).view(-1, len(self.sites), self.atoms_per_site)
        tensors = {  # views: members differ in their atoms alone
            name: t[seed : seed + 1].expand(len(points), *t.shape[1:])
            for name, t in adapted.tensors.items()
        }
        for index, site in enumerate(self.sites):
            name = f"atoms:{site}"  # (p, 1, m, outputs)
            tensors[name] = tensors[name] * gains[:, None, index, :, None].to(tensors[name].dtype)
        return tensors

    def gains_without(self, *atoms: int) -> Tensor:
        """Return gains (1, a) that remove these atoms and leave the others."""
        gains = torch.ones(1, self.size)
        gains[:, list(atoms)] = 0.0
        return gains

    def mean_importance(
        self, seed: int, examples: Sequence[Example], batcher: ExampleBatcher
    ) -> Array:
        """Return the mean of |coefficient| · length of each atom, (a,), over examples."""
        codes = self.read_coefficients(seed, examples, batcher)
        pairs = zip(codes, self.norms()[seed], strict=True)  # (positions, m) and (m,) of a site
        return np.concatenate([sparsity.atom_importance(code, norm) for code, norm in pairs])

    @torch.no_grad()
    def read_coefficients(
        self, seed: int, examples: Sequence[Example], batcher: ExampleBatcher
    ) -> list[Array]:
        """Return coefficients (positions, m) of every site while a seed reads examples and answers.

        Positions are those of the text, or of the given answer in a decoder; padding is left out.
        """
        member = self.at_gains(seed, torch.ones(1, self.size))
        codes_by_site: list[list[Array]] = [[] for _ in self.sites]
        for indices in length_batches(batcher, examples, 1, batch_budget.token_budget(self.base)):
            batch = batcher.batch([examples[i] for i in indices])
            codes_by_key = member.notes(batch, torch.ones(1, 1, 1))
            for site_codes, part in zip(codes_by_site, self.matrices, strict=True):
                codes = codes_by_key[target_modules.layer_key(part)]
                mask = self._position_mask(part, batch)[:, -codes.shape[1] :]
                site_codes.append(codes[mask.to(torch.bool)].float().cpu().numpy())
        return [np.concatenate(site_codes) for site_codes in codes_by_site]

    def thresholds(self, site: str, seed: int) -> Tensor:
        """Return the threshold of every atom of a site for one seed, (1, 1, 1, m)."""
        name = f"threshold:{site}"
        if name in self.tensors:
            return self.tensors[name][[seed]].expand(1, 1, 1, self.atoms_per_site)
        atom_tensor = self.tensors[f"atoms:{site}"]
        return torch.full((1, 1, 1, self.atoms_per_site), self.config.threshold).to(atom_tensor)

    def _position_mask(self, part: TargetSlice, batch: Batch) -> Tensor:
        """Return which positions (n, t) of what a part reads are not padding."""
        if self.base.kind != "encoder-decoder":
            return batch.attention_mask
        reads_encoder = part.component in ("cross.key", "cross.value")
        return self.adapted.token_masks(batch, batch.attention_mask)[
            "encoder" if reads_encoder else part.stack
        ]


@dataclass(frozen=True)
class TokenCodes:
    """One token that a site read: its text and the coefficients (m,) there."""

    text: str
    codes: Array


def token_codes(
    atom_dict: AtomDictionary, seed: int, example: Example, batcher: ExampleBatcher, site_index: int
) -> list[TokenCodes]:
    """Return every token of an example with its coefficients at one site.

    Sites of a decoder read the answer so far, except those that look across at the encoder.
    """
    part = atom_dict.matrices[site_index]
    codes = atom_dict.read_coefficients(seed, [example], batcher)[site_index]
    row = batcher.tokenize(example)
    ids = row.input_ids
    if atom_dict.base.kind == "encoder-decoder" and part.stack == "decoder":
        if part.component not in ("cross.key", "cross.value"):
            start = atom_dict.base.model.config.decoder_start_token_id
            ids = [start, *row.target_ids[:-1]]
    elif atom_dict.base.kind == "decoder":
        ids = row.input_ids + row.target_ids
    texts = text_names(atom_dict.base.tokenizer, ids)
    return [TokenCodes(word, token_code) for word, token_code in zip(texts, codes, strict=True)]


def join_dictionaries(
    first: AtomDictionary, second: AtomDictionary, seeds: tuple[int, int] = (0, 0)
) -> AtomDictionary:
    """Join one seed of each into one member: at every site the first's atoms, then the second's.

    BadInput unless both belong to the same base, have atoms at the same sites and compute their
    coefficients alike.
    """
    if first.base.fingerprint != second.base.fingerprint:
        raise BadInput("the atoms belong to different base models and cannot be put together")
    if first.sites != second.sites:
        raise BadInput("the atoms sit at different matrices; only runs with equal sites combine")
    if first.adapted.labels:
        raise BadInput(f"{first.base.name} answers by a head, and two heads cannot both be read")
    first_config, second_config = first.config, second.config
    for name in SHARED_SETTINGS:
        if getattr(first_config, name) != getattr(second_config, name):
            raise BadInput(
                f"the runs were trained with different {name}: "
                f"{getattr(first_config, name)} and {getattr(second_config, name)}"
            )
    if first_config.top_k or second_config.top_k:
        raise BadInput("runs that keep the largest coefficients (top_k) would compete; set it to 0")
    config = first_config.model_copy(
        # Thresholds become tensors, because the two runs may have set different ones.
        update={"atoms": first_config.atoms + second_config.atoms, "learned_threshold": True}
    )
    initializer = SeededInitializer([0], 1, str(first.base.device))
    adapted = AdaptedModel(first.base, SparseAtoms(first.base, config, initializer), initializer)
    tensors: dict[str, Tensor] = {}
    for site in first.sites:
        dictionary_seeds = list(zip((first, second), seeds, strict=True))
        for kind, axis in (("encode", -1), ("atoms", -2)):
            values = [
                atom_dict.tensors[f"{kind}:{site}"][[seed]] for atom_dict, seed in dictionary_seeds
            ]
            tensors[f"{kind}:{site}"] = torch.cat(values, axis)
        tensors[f"threshold:{site}"] = torch.cat(
            [atom_dict.thresholds(site, seed) for atom_dict, seed in dictionary_seeds], -1
        )
    return AtomDictionary(adapted.with_tensors(tensors))


def joined_gains(
    joined: AtomDictionary, first_atoms: int, shares: Sequence[tuple[float, float]]
) -> Tensor:
    """Return gains (p, a) of joined atoms at p pairs of shares, one for each run.

    first_atoms: atoms of a site that the first run brought.
    """
    gains = torch.empty(len(shares), len(joined.sites), joined.atoms_per_site)  # (p, sites, m)
    for row, (first_share, second_share) in zip(gains, shares, strict=True):
        row[:, :first_atoms], row[:, first_atoms:] = first_share, second_share
    return gains.flatten(1)
