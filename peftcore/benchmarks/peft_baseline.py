"""The baseline of common practice: the `peft` package and a plain loop, one seed at a time.

For the benchmarks, with our data, order, learning rate, precision and number of steps, so that only
the way of computing differs. The package's models run the library's own attention and activations.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from peftcore import tasks
from peftcore.adapters.adapted_model import pool_states
from peftcore.data.task import Episode
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel, restore_library_modules
from peftcore.models.batching import IGNORE_INDEX, Batch, ExampleBatcher
from peftcore.runs.spec import RunSpec
from peftcore.training import planning
from peftcore.training.trainer import autocast_dtype, lr_multiplier, step_examples

PEFT_TASK_TYPES = {
    "encoder-decoder": "SEQ_2_SEQ_LM",
    "decoder": "CAUSAL_LM",
    "encoder": "FEATURE_EXTRACTION",
}
METHODS = ("prompt_tuning", "prefix_tuning", "lora")


@dataclass(frozen=True)
class TrainingCost:
    """Time and losses of a training."""

    wall: float  # seconds
    processor: float  # seconds
    losses: list[float]  # of the last step, one for each seed


class PeftLoop:
    """One seed, trained by a plain loop around a model of the `peft` package."""

    def __init__(self, base: BaseModel, spec: RunSpec, seed: int, labels: int = 0) -> None:
        """Build the model, its head if there are labels, and the optimiser."""
        self.base, self.spec, self.seed = base, spec, seed
        torch.manual_seed(seed)
        self.model = self._with_adapter(restore_library_modules(copy.deepcopy(base.model)))
        self.head = torch.nn.Linear(base.structure.width, labels) if labels else None
        trained = [p for p in self.model.parameters() if p.requires_grad]
        trained += list(self.head.parameters()) if self.head else []
        self.learning_rate = _learning_rate(base, spec)
        self.optimiser = torch.optim.AdamW(trained, lr=self.learning_rate)
        self.trainable_parameters = trained
        self.autocast_dtype = autocast_dtype(spec.training.precision, base.device)

    def _with_adapter(self, model: Any) -> Any:
        """Add the spec's adapter to a model by the package."""
        try:
            import peft
        except ModuleNotFoundError:
            raise BadInput(
                "this comparison needs the peft package: pip install -r requirements-extra.txt"
            ) from None

        kind, settings = PEFT_TASK_TYPES[self.base.kind], self.spec.settings
        if self.spec.method == "lora":
            # The very modules that our own adapter enters.
            paths = planning.build_adapted(self.base, self.spec).adapter.target_modules()
            config: Any = peft.LoraConfig(
                task_type=kind,
                r=settings["rank"],
                lora_alpha=settings["alpha"],
                target_modules=paths,
                fan_in_fan_out=isinstance(model.get_submodule(paths[0]), Conv1D),
            )
        elif self.spec.method == "prefix_tuning":
            config = peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=settings["length"])
        elif self.spec.method == "prompt_tuning":
            config = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=settings["length"])
        else:
            raise BadInput(
                f"the peft package is compared on {', '.join(METHODS)}; got {self.spec.method!r}"
            )
        return peft.get_peft_model(model, config)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss () of a batch of tokens (n, t)."""
        model_inputs: dict[str, Any] = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
        }
        if self.head is not None:
            if batch.token_type_ids is not None:
                model_inputs["token_type_ids"] = batch.token_type_ids
            states = self.model(**model_inputs).last_hidden_state[:, -batch.input_ids.shape[1] :]
            pooled = pool_states(states, batch, self.base.is_sentence_encoder, False)
            assert batch.class_labels is not None
            return torch.nn.functional.cross_entropy(self.head(pooled).float(), batch.class_labels)
        assert batch.targets is not None
        labels = batch.targets
        if self.base.kind == "decoder":
            rest = batch.input_ids.shape[1] - labels.shape[1]
            labels = torch.nn.functional.pad(labels, (rest, 0), value=IGNORE_INDEX)
        loss: Tensor = self.model(**model_inputs, labels=labels, use_cache=False).loss
        return loss

    def train(self, episode: Episode, encoder: ExampleBatcher) -> TrainingCost:
        """Train the spec's steps on one seed's examples."""
        last = 0.0
        wall, processor = time.perf_counter(), time.process_time()
        for step in range(self.spec.training.steps):
            last = self.train_step(step, episode, encoder)
        return TrainingCost(time.perf_counter() - wall, time.process_time() - processor, [last])

    def train_step(self, step: int, episode: Episode, encoder: ExampleBatcher) -> float:
        """Train one step of the spec on one seed's examples; return its loss."""
        t = self.spec.training
        batch = encoder.batch(step_examples(episode.train, self.seed, step, t.batch))
        with torch.autocast(
            self.base.device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None
        ):
            loss = self.loss(batch)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable_parameters, t.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * lr_multiplier(t, step)
        self.optimiser.step()
        return loss.item()


def _learning_rate(base: BaseModel, spec: RunSpec) -> float:
    """Return the learning rate of our own adapter's first tensor."""
    own_adapter = planning.build_adapted(base, spec).adapter
    rate = spec.training.learning_rate
    rate = (
        own_adapter.default_learning_rate(base.kind, base.parameter_count) if rate is None else rate
    )
    return float(rate * next(iter(own_adapter.learning_rate_factors().values()), 1.0))


def prepare_examples(base: BaseModel, spec: RunSpec) -> tuple[list[Episode], ExampleBatcher]:
    """Return the examples of every seed, and their batcher."""
    task, t = tasks.find_task(spec.task), spec.training
    encoder = ExampleBatcher(
        base, task.labels if base.kind == "encoder" else (), planning.prompt_length(spec, base)
    )
    episodes = [task.few_shot(t.shots, n, t.dev) for n in spec.population.seed_numbers()]
    for episode in episodes:
        encoder.batch(episode.train)  # tokenised before the clock runs, for every way
    return episodes, encoder


def peft_loops(base: BaseModel, spec: RunSpec) -> list[PeftLoop]:
    """Build a loop for every seed, with its adapter."""
    labels = len(tasks.find_task(spec.task).labels) if base.kind == "encoder" else 0
    return [PeftLoop(base, spec, seed, labels) for seed in spec.population.seed_numbers()]


def train_in_turn(
    peft_loops_in_turn: Sequence[PeftLoop], episodes: Sequence[Episode], encoder: ExampleBatcher
) -> TrainingCost:
    """Train all loops in turn, each on its own examples."""
    costs = [
        loop.train(episode, encoder)
        for loop, episode in zip(peft_loops_in_turn, episodes, strict=True)
    ]
    return TrainingCost(
        sum(one.wall for one in costs),
        sum(one.processor for one in costs),
        [one.losses[0] for one in costs],
    )
