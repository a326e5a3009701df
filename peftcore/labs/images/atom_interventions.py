"""Pictures drawn with an adapter's atoms weighed: some kept, one switched off, one layer alone.

Whoever draws two pictures with the same key gives them the same chance, so that all they differ in
comes from the atoms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.analysis import sparsity
from peftcore.data.task import Example
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.models.batching import Encoder
from peftcore.tasks.images import canvas, sampling
from peftcore.tasks.images.canvas import Picture
from peftcore.tasks.images.recognise import LEVELS

ROWS = 640  # pictures drawn in one pass


def draw(
    worn: AdaptedModel,
    prompts: Sequence[str],
    keys: Sequence[str],
    room: int = 0,
    stop: Callable[[], bool] = lambda: False,
    autocast: torch.dtype | None = None,
) -> list[list[Picture]]:
    """For every member a picture for every prompt, with the chance of its key."""
    encoder = Encoder(worn.base, (), room)
    rows = [Example(f"drawn:{p}", p, "") for p in prompts]
    found: list[list[Picture]] = [[] for _ in range(worn.seeds)]
    size = max(1, ROWS // worn.seeds)
    for at in range(0, len(rows), size):
        if stop():
            raise InterruptedError
        some = rows[at : at + size]
        batch = encoder.batch(some * worn.seeds, with_targets=False)
        asked = sampling.options(worn.base.tokenizer, list(keys[at : at + size]) * worn.seeds)
        half = torch.autocast(worn.base.device.type, autocast, enabled=autocast is not None)
        with torch.inference_mode(), half:
            out = worn.generate(
                batch,
                worn.centroid(),
                pad_token_id=worn.base.tokenizer.pad_token_id,
                eos_token_id=worn.base.tokenizer.eos_token_id,
                **asked,
            )
        texts = worn.base.tokenizer.batch_decode(out)
        for place, text in enumerate(texts):
            found[place // len(some)].append(canvas.read(text))
    return found


def one_seed(worn: AdaptedModel, seed: int) -> AdaptedModel:
    """One seed of an adapter that has several, alone."""
    from peftcore.labs.common.interpolation import span_of_run

    inside = span_of_run(worn)
    held = {name: t[seed : seed + 1] for name, t in inside.tensors.items()}
    return inside.with_tensors(held)


def importance(found: Dictionary, seed: int, examples: Sequence[Example]) -> sparsity.Array:
    """Mean size of what each atom adds while a seed reads examples: |coefficient| · length."""
    codes = found.read(seed, examples, Encoder(found.base, ()))
    pairs = zip(codes, found.norms()[seed], strict=True)
    return np.concatenate([sparsity.atom_importance(code, norm) for code, norm in pairs])


def rises(
    found: Dictionary, seed: int, examples: Sequence[Example], block: int = 32
) -> sparsity.Array:
    """How much a seed's mean loss on examples rises when each atom alone is taken away."""
    encoder = Encoder(found.base, ())
    gains = torch.cat([torch.ones(1, found.size), 1 - torch.eye(found.size)])
    losses: list[Tensor] = []
    for at in range(0, len(gains), block):
        worn = found.at_gains(seed, gains[at : at + block])
        batch = encoder.batch(list(examples) * worn.seeds)
        with torch.inference_mode():
            each = worn.losses(batch, worn.centroid()).view(worn.seeds, len(examples))
        losses.append(each.mean(1))
    told = torch.cat(losses).double().cpu().numpy()
    return np.asarray(told[1:] - told[0])


def earned(
    found: Dictionary, seed: int, examples: Sequence[Example], places: int = 8
) -> sparsity.Array:
    """What each atom earns of the loss's fall on examples, on the straight way from none to all.

    The slope of a seed's loss by every atom's gain, at gains that are equal for all, averaged over
    the middles of so many stretches of the way (integrated gradients, arXiv:1703.01365).  Together
    the atoms earn the whole fall, up to the width of the stretches.
    """
    batch = Encoder(found.base, ()).batch(list(examples))
    total = torch.zeros(found.size)
    for place in range(places):
        gains = torch.full((1, found.size), (place + 0.5) / places, requires_grad=True)
        worn = found.at_gains(seed, gains)
        loss = worn.losses(batch, worn.centroid()).mean()
        total -= torch.autograd.grad(loss, gains)[0][0]
    return np.asarray(total.double() / places)


def keeping(order: Sequence[int] | sparsity.IntArray, counts: Sequence[int]) -> Tensor:
    """Gains (p, atoms) that keep the first so many atoms of an order."""
    gains = torch.zeros(len(counts), len(order))
    for row, count in zip(gains, counts, strict=True):
        row[[int(atom) for atom in order[:count]]] = 1.0
    return gains


def layer_of(site: str) -> int:
    """The layer a site is in, counted from 1."""
    found = re.search(r"\.h\.(\d+)\.|layers\.(\d+)\.", site)
    return int(found.group(1) or found.group(2)) + 1 if found else 1


def layers(found: Dictionary) -> list[int]:
    """The layer of every atom, counted from 1."""
    return [layer_of(site) for site in found.sites for _ in range(found.each)]


def by_layer(found: Dictionary) -> tuple[list[str], Tensor]:
    """Names and gains: none, each layer alone, all but each layer, all."""
    of = torch.tensor(layers(found))
    numbers = sorted(set(of.tolist()))
    rows = [("no atoms", torch.zeros(found.size))]
    rows += [(f"layer {n} alone", (of == n).float()) for n in numbers]
    rows += [(f"without layer {n}", (of != n).float()) for n in numbers]
    rows.append(("all atoms", torch.ones(found.size)))
    return [name for name, _ in rows], torch.stack([gain for _, gain in rows])


@dataclass(frozen=True)
class Effect:
    """What one atom adds to the chance of every level at every place, while pictures are drawn."""

    atom: int
    layer: int
    component: str
    importance: float
    change: sparsity.Array  # (places, levels), chance with all atoms minus chance without this

    @property
    def size(self) -> float:
        """Mean share of chance it moves, over the places: 0 for nothing, 1 for everything."""
        return float(np.abs(self.change).sum() / 2 / len(self.change))

    def name(self, world: str) -> str:
        """What it does, in words: which level it brings most, which it takes, and where."""
        total = self.change.sum(0)
        if self.size < 5e-4:
            return "hardly anything"
        more, less = int(total.argmax()), int(total.argmin())
        words = LEVELS[world]
        where = place_in_words(np.abs(self.change).sum(1))
        return f"more {words[more]}, less {words[less]}, {where}"


def place_in_words(weights: sparsity.Array) -> str:
    """Where on a picture most of some weight lies: "upper left", "middle", "everywhere"."""
    grid = np.asarray(weights, dtype=float).reshape(canvas.SIDE, canvas.SIDE)
    total = grid.sum()
    if total == 0:
        return "nowhere"
    at = np.arange(canvas.SIDE) - (canvas.SIDE - 1) / 2
    y, x = float((grid.sum(1) * at).sum() / total), float((grid.sum(0) * at).sum() / total)
    spread = float((grid > grid.max() / 3).mean())
    vertical = "upper" if y < -0.9 else "lower" if y > 0.9 else ""
    horizontal = "left" if x < -0.9 else "right" if x > 0.9 else ""
    if vertical or horizontal:
        return " ".join(filter(None, (vertical, horizontal))) + " part"
    return "everywhere" if spread > 0.5 else "in the middle"


def effects(
    found: Dictionary, seed: int, examples: Sequence[Example], atoms: Sequence[int], block: int = 32
) -> list[Effect]:
    """What each of some atoms adds, while the seed draws the pictures of these examples again."""
    encoder = Encoder(found.base, ())
    ids = sampling.level_ids(found.base.tokenizer)
    weights = importance(found, seed, examples)
    of = layers(found)
    gains = torch.cat([torch.ones(1, found.size), *(found.without(atom) for atom in atoms)])
    chances: list[Tensor] = []
    for at in range(0, len(gains), block):
        worn = found.at_gains(seed, gains[at : at + block])
        chances.append(_chances(worn, encoder, examples, ids))
    table = torch.cat(chances).double().numpy()  # (1 + atoms, places, levels)
    return [
        Effect(
            atom,
            of[atom],
            found.sites[atom // found.each].partition(":")[0],
            float(weights[atom]),
            table[0] - table[1 + place],
        )
        for place, atom in enumerate(atoms)
    ]


def _chances(
    worn: AdaptedModel, encoder: Encoder, examples: Sequence[Example], ids: Tensor
) -> Tensor:
    """Mean chance (members, places, levels) of each level where the examples' pictures go on."""
    batch = encoder.batch(list(examples) * worn.seeds)
    with torch.inference_mode():
        logits = worn.logits(batch, worn.centroid())[:, : len(ids)]  # the end comes after the last
    picked = logits.gather(2, ids.to(logits.device).expand(len(logits), -1, -1))
    shares = picked.float().softmax(-1).view(worn.seeds, len(examples), *ids.shape)
    return shares.mean(1)
