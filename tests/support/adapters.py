"""Adapted models for tests, with random tensors or as they are before training."""

import torch

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.data.task import Example
from peftcore.models.batching import ExampleBatcher

EXAMPLES = (
    Example("1", "a cat sat", "yes because it did.", "yes", parts=("a cat", "sat")),
    Example("2", "what is the rest of it?", "no.", "no", parts=("what is the rest", "of it?")),
    Example("3", "b", "yes", "yes", parts=("b", "c")),
)


def random_adapted(base, method, seeds=(0, 1), vertices=3, **settings):
    """An adapted base whose tensors are all random, so that nothing hides behind a zero start."""
    recipe = METHODS[method]
    if "length" in recipe.Config.model_fields:
        settings = {"length": 4} | settings
    draw = SeededInitializer(seeds, vertices)
    adapter = recipe(base, recipe.Config.make(settings), draw)
    adapted = AdaptedModel(base, adapter, draw, 2 if base.kind == "encoder" else 0)
    rng = torch.Generator().manual_seed(7)
    for tensor in adapted.tensors.values():
        tensor.data += 0.3 * torch.randn(tensor.shape, generator=rng)
    return adapted


def untrained_adapted(base, method, seeds=(0,), **settings):
    """An untrained adapter, as training starts with it."""
    recipe, draw = METHODS[method], SeededInitializer(seeds, 1)
    adapter = recipe(base, recipe.Config.make(settings), draw)
    return AdaptedModel(base, adapter, draw, 2 if base.kind == "encoder" else 0)


def model_inputs(base, batch):
    """What the library's own model is given of a batch."""
    given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    decoder = {"decoder_input_ids": batch.input_ids} if base.kind == "encoder-decoder" else {}
    return given | decoder


def outputs_before_training(base, method, **settings):
    """What the model gives for the examples with an untrained adapter, and without one."""
    adapted = untrained_adapted(base, method, **settings)
    given = model_inputs(base, ExampleBatcher(base, ()).batch(EXAMPLES, with_targets=False))
    with adapted.active(adapted.centroid(), len(EXAMPLES), None):
        return adapted.model(**given)[0], base.model(**given)[0]


def train(adapted, trained, batch, steps=3):
    step = torch.optim.AdamW(trained, lr=0.01, weight_decay=0.0)
    for _ in range(steps):
        adapted.losses(batch, adapted.centroid()).sum().backward()
        step.step()
        step.zero_grad()


def train_by_hand(model, parameters, batch, steps=3):
    """Train parameters of the library's own T5 by its logits and torch's loss alone."""
    optimiser = torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.0)
    for _ in range(steps):
        logits = model(batch.input_ids, batch.attention_mask, labels=batch.targets).logits
        each = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), batch.targets, ignore_index=-100, reduction="none"
        )
        (each.sum(1) / (batch.targets != -100).sum(1)).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
