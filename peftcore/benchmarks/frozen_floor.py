"""The lower bound of a training step: the frozen model's own forward and backward pass.

Backward goes to the model's inputs and to no weight, for the very rows that a trainer reads, with
as many more positions in front as a method's soft tokens take. With `weights` the gradients of the
weights count too, which methods that train weights need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from peftcore.models.base_model import BaseModel
from peftcore.models.batching import IGNORE_INDEX
from peftcore.training import planning
from peftcore.training.trainer import Trainer, step_examples


def floor_step(base: BaseModel, trainer: Trainer, weights: bool = False) -> Callable[[], None]:
    """Return one pass of the frozen model on the rows of the trainer's first step."""
    t = trainer.spec.training
    rows = [
        row
        for state, episode in zip(trainer.seeds, trainer.episodes, strict=True)
        for row in step_examples(episode.train, state.seed, 0, t.batch)
    ]
    batch, model = trainer.batcher.batch(rows), base.model
    soft = planning.prompt_length(trainer.spec, base)
    mask = torch.nn.functional.pad(batch.attention_mask, (soft, 0), value=1)
    ids = torch.nn.functional.pad(batch.input_ids, (soft, 0))
    model_inputs: dict[str, Any] = {"attention_mask": mask}
    if base.kind == "encoder-decoder":
        model_inputs["labels"] = batch.targets
    elif base.kind == "encoder":
        types = batch.token_type_ids
        model_inputs |= (
            {} if types is None else {"token_type_ids": torch.nn.functional.pad(types, (soft, 0))}
        )
    else:
        model_inputs |= {"use_cache": False, "logits_to_keep": _logits_to_keep(batch.targets)}
    trained_weights = [
        module.weight for module in model.modules() if weights and _is_linear(module)
    ]

    def work() -> None:
        """Run forward and backward once."""
        inputs = base.embeddings[ids].detach().requires_grad_()
        for parameter in trained_weights:
            parameter.requires_grad_()
        with torch.autocast(
            base.device.type, trainer.autocast, enabled=trainer.autocast is not None
        ):
            out = model(inputs_embeds=inputs, **model_inputs)
            loss = (
                out.last_hidden_state[:, 0].sum() if base.kind == "encoder" else _loss(out, batch)
            )
        torch.autograd.grad(loss, [inputs, *trained_weights], allow_unused=True)
        for parameter in trained_weights:
            parameter.requires_grad_(False)

    return work


def _logits_to_keep(targets: torch.Tensor | None) -> int:
    """Return how many positions of logits targets (n, t) need."""
    assert targets is not None
    return int(targets.shape[1]) + 1


def _is_linear(module: Any) -> bool:
    """Return whether a module multiplies by a matrix."""
    return isinstance(module, torch.nn.Linear | Conv1D)


def _loss(out: Any, batch: Any) -> torch.Tensor:
    """Return the cross-entropy at the label positions."""
    if out.loss is not None:
        loss: torch.Tensor = out.loss
        return loss
    logits = out.logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE_INDEX
    )
