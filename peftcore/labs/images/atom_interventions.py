"""Draws images with an adapter's atoms scaled, and measures what each atom contributes.

Images with the same key are sampled with the same random numbers, so that all they differ in comes
from the atoms.  Axes: p rows of gains, m all atoms of an adapter.
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
from peftcore.errors import BadInput
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.common.interpolation import span_of_run
from peftcore.models.batching import ExampleBatcher
from peftcore.tasks.images import canvas, sampling
from peftcore.tasks.images.canvas import Picture
from peftcore.tasks.images.recognise import LEVEL_NAMES

MAX_BATCH_IMAGES = 640  # images drawn in one pass


def generate_images(
    adapted: AdaptedModel,
    prompts: Sequence[str],
    keys: Sequence[str],
    prompt_length: int = 0,
    stop: Callable[[], bool] = lambda: False,
    autocast: torch.dtype | None = None,
) -> list[list[Picture]]:
    """Draw an image of every prompt by every member; InterruptedError if asked to stop.

    keys: seed the sampling, one for each prompt.
    """
    batcher = ExampleBatcher(adapted.base, (), prompt_length)
    rows = [Example(f"drawn:{p}", p, "") for p in prompts]
    images: list[list[Picture]] = [[] for _ in range(adapted.seeds)]
    size = max(1, MAX_BATCH_IMAGES // adapted.seeds)
    for start in range(0, len(rows), size):
        if stop():
            raise InterruptedError
        batch_rows = rows[start : start + size]
        batch = batcher.batch(batch_rows * adapted.seeds, with_targets=False)
        sampling_options = sampling.sampling_options(
            adapted.base.tokenizer, list(keys[start : start + size]) * adapted.seeds
        )
        autocast_context = torch.autocast(
            adapted.base.device.type, autocast, enabled=autocast is not None
        )
        with torch.inference_mode(), autocast_context:
            out = adapted.generate(
                batch,
                adapted.centroid(),
                pad_token_id=adapted.base.tokenizer.pad_token_id,
                eos_token_id=adapted.base.tokenizer.eos_token_id,
                **sampling_options,
            )
        texts = adapted.base.tokenizer.batch_decode(out)
        for index, text in enumerate(texts):
            # Rows are the prompts of this batch once for every member.
            images[index // len(batch_rows)].append(canvas.words_to_picture(text))
    return images


def select_seed(adapted: AdaptedModel, seed: int) -> AdaptedModel:
    """Return a model with one seed of an adapter that has several."""
    span = span_of_run(adapted)
    tensors = {name: t[seed : seed + 1] for name, t in span.tensors.items()}
    return span.with_tensors(tensors)


def ablation_increases(
    atom_dict: AtomDictionary, seed: int, examples: Sequence[Example], block: int = 32
) -> sparsity.Array:
    """Return the rise (m,) of a seed's mean loss on examples when each atom alone is removed."""
    batcher = ExampleBatcher(atom_dict.base, ())
    gains = torch.cat([torch.ones(1, atom_dict.size), 1 - torch.eye(atom_dict.size)])  # (1 + m, m)
    losses: list[Tensor] = []
    for start in range(0, len(gains), block):
        adapted = atom_dict.at_gains(seed, gains[start : start + block])
        batch = batcher.batch(list(examples) * adapted.seeds)
        with torch.inference_mode():
            row_losses = adapted.losses(batch, adapted.centroid())  # (p · examples,)
        losses.append(row_losses.view(adapted.seeds, len(examples)).mean(1))
    mean_losses = torch.cat(losses).double().cpu().numpy()
    return np.asarray(mean_losses[1:] - mean_losses[0])


def integrated_gradients(
    atom_dict: AtomDictionary, seed: int, examples: Sequence[Example], steps: int = 8
) -> sparsity.Array:
    """Return each atom's share (m,) of the loss's fall on examples, as all grow from 0 to 1.

    The negative slope of a seed's loss by every atom's gain, at gains that are equal for all,
    averaged over the middles of `steps` intervals (integrated gradients, arXiv:1703.01365).  The
    shares sum to the whole fall, up to the width of the intervals.
    """
    batch = ExampleBatcher(atom_dict.base, ()).batch(list(examples))
    total = torch.zeros(atom_dict.size)
    for step in range(steps):
        gains = torch.full((1, atom_dict.size), (step + 0.5) / steps, requires_grad=True)
        adapted = atom_dict.at_gains(seed, gains)
        loss = adapted.losses(batch, adapted.centroid()).mean()
        total -= torch.autograd.grad(loss, gains)[0][0]
    return np.asarray(total.double() / steps)


def gains_keeping_first(order: Sequence[int] | sparsity.IntArray, counts: Sequence[int]) -> Tensor:
    """Return gains (p, m) that keep the first atoms of an order (m,), one row for each count."""
    for count in counts:
        if not 0 <= count <= len(order):
            raise BadInput(f"atoms kept must lie in [0, {len(order)}]; got {count}")
    gains = torch.zeros(len(counts), len(order))
    for row, count in zip(gains, counts, strict=True):
        row[[int(atom) for atom in order[:count]]] = 1.0
    return gains


def layer_of_site(site: str) -> int:
    """Return the layer a site is in, counted from 1."""
    match = re.search(r"\.h\.(\d+)\.|layers\.(\d+)\.", site)
    return int(match.group(1) or match.group(2)) + 1 if match else 1


def atom_layers(atom_dict: AtomDictionary) -> list[int]:
    """Return the layer of every atom, counted from 1."""
    return [
        layer_of_site(site) for site in atom_dict.sites for _ in range(atom_dict.atoms_per_site)
    ]


def layer_gains(atom_dict: AtomDictionary) -> tuple[list[str], Tensor]:
    """Return names and gains (p, m): no atoms, each layer alone, all but each layer, all atoms."""
    layer_by_atom = torch.tensor(atom_layers(atom_dict))
    layer_numbers = sorted(set(layer_by_atom.tolist()))
    rows = [("no atoms", torch.zeros(atom_dict.size))]
    rows += [
        (f"layer {layer_number} alone", (layer_by_atom == layer_number).float())
        for layer_number in layer_numbers
    ]
    rows += [
        (f"without layer {layer_number}", (layer_by_atom != layer_number).float())
        for layer_number in layer_numbers
    ]
    rows.append(("all atoms", torch.ones(atom_dict.size)))
    return [name for name, _ in rows], torch.stack([gain for _, gain in rows])


@dataclass(frozen=True)
class AtomEffect:
    """One atom's change of the probability of every level at every pixel of generated images."""

    atom: int
    layer: int
    component: str
    importance: float
    chance_change: sparsity.Array  # (pixels, levels), probability with all atoms minus without it

    @property
    def size(self) -> float:
        """Return the mean share of probability it moves, over pixels: from 0 to 1."""
        return float(np.abs(self.chance_change).sum() / 2 / len(self.chance_change))

    def describe(self, world: str) -> str:
        """Describe in words which level it adds most, which it removes most, and where."""
        total = self.chance_change.sum(0)
        if self.size < 5e-4:
            return "hardly anything"
        most_added, most_removed = int(total.argmax()), int(total.argmin())
        level_names = LEVEL_NAMES[world]
        position = describe_position(np.abs(self.chance_change).sum(1))
        return f"more {level_names[most_added]}, less {level_names[most_removed]}, {position}"


def describe_position(weights: sparsity.Array) -> str:
    """Describe where most of a weight (pixels,) lies: "upper left part", "in the middle" …"""
    grid = np.asarray(weights, dtype=float).reshape(canvas.SIDE, canvas.SIDE)
    total = grid.sum()
    if total == 0:
        return "nowhere"
    offsets = np.arange(canvas.SIDE) - (canvas.SIDE - 1) / 2
    y, x = (
        float((grid.sum(1) * offsets).sum() / total),
        float((grid.sum(0) * offsets).sum() / total),
    )
    spread = float((grid > grid.max() / 3).mean())
    vertical = "upper" if y < -0.9 else "lower" if y > 0.9 else ""
    horizontal = "left" if x < -0.9 else "right" if x > 0.9 else ""
    if vertical or horizontal:
        return " ".join(filter(None, (vertical, horizontal))) + " part"
    return "everywhere" if spread > 0.5 else "in the middle"


def atom_effects(
    atom_dict: AtomDictionary,
    seed: int,
    examples: Sequence[Example],
    atoms: Sequence[int],
    block: int = 32,
) -> list[AtomEffect]:
    """Return the effect of each of some atoms while a seed reads these images pixel by pixel."""
    batcher = ExampleBatcher(atom_dict.base, ())
    ids = sampling.pixel_token_ids(atom_dict.base.tokenizer)
    weights = atom_dict.mean_importance(seed, examples, batcher)
    layer_by_atom = atom_layers(atom_dict)
    gains = torch.cat(
        [torch.ones(1, atom_dict.size), *(atom_dict.gains_without(atom) for atom in atoms)]
    )
    probabilities: list[Tensor] = []
    for start in range(0, len(gains), block):
        adapted = atom_dict.at_gains(seed, gains[start : start + block])
        probabilities.append(_level_probabilities(adapted, batcher, examples, ids))
    table = torch.cat(probabilities).double().numpy()  # (1 + atoms, pixels, levels)
    return [
        AtomEffect(
            atom,
            layer_by_atom[atom],
            atom_dict.sites[atom // atom_dict.atoms_per_site].partition(":")[0],
            float(weights[atom]),
            table[0] - table[1 + index],
        )
        for index, atom in enumerate(atoms)
    ]


def _level_probabilities(
    adapted: AdaptedModel, batcher: ExampleBatcher, examples: Sequence[Example], ids: Tensor
) -> Tensor:
    """Return the mean probability (members, pixels, levels) of each level over the examples."""
    batch = batcher.batch(list(examples) * adapted.seeds)
    with torch.inference_mode():
        # The last position predicts the end of the image, not a pixel.
        logits = adapted.logits(batch, adapted.centroid())[:, : len(ids)]
    level_logits = logits.gather(2, ids.to(logits.device).expand(len(logits), -1, -1))
    probabilities = level_logits.float().softmax(-1).view(adapted.seeds, len(examples), *ids.shape)
    return probabilities.mean(1)
