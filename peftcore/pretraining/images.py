"""Pretrain the bases that generate images: their data, the loop, the measurements.

Sequences begin at a random position, so that an image may stand anywhere in a text, as it does
after a soft prompt.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from peftcore.pretraining.image_models import (
    DRAW,
    image_model_config,
    make_model,
    make_tokenizer,
    write_card,
)
from peftcore.pretraining.tiny_models import save_base
from peftcore.tasks.images import canvas, digits, sampling, scenes
from peftcore.tasks.images.canvas import SIDE, Picture

_BATCH = 32
_LEARNING_RATE = {"tiny-digits": 3e-3, "tiny-scenes": 3e-3}
_MEASUREMENTS = 4  # times a run measures itself
_INTERIM_COUNT, _FINAL_COUNT = 60, 200  # images per measurement, interim and final
TEMPERATURE = 0.7  # of the pictures a card counts
_PROMPT_WEIGHT = 0.1  # weight of a prompt's words in the loss
PromptPicture = tuple[str, Picture]
Report = Callable[[dict[str, Any]], None]


def pretrain_image_model(
    name: str, out: Path, tokens: int, seed: int, report: Report
) -> dict[str, Any]:
    """Train such a base on so many tokens, save it to `out`, and return its measurements."""
    model_config = image_model_config(name)
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(name)
    model = make_model(name, tokenizer)
    model.set_attn_implementation("eager")
    trainer = _ImageTrainer(name, model, tokenizer, seed, model_config.positions)
    measured = trainer.run(tokens, out, report)
    save_base(model, tokenizer, out)
    write_card(name, out, measured, model.num_parameters())
    return measured


def sample_pair(name: str, rng: random.Random) -> PromptPicture:
    """Sample a prompt and an image for it, from what the base may see in pretraining."""
    if name == "tiny-scenes":
        scene = scenes.sample_scene(rng, "plain")
        return scene.prompt, scenes.render_scene(scene, rng)
    digit = rng.choice(_seen_digits())
    ways = (digits.digit_prompt(digit.word), f"a {digit.word}", f"the digit {digit.word}")
    prompt = ways[0] if rng.random() < 0.7 else rng.choice(ways)
    return prompt, shift_columns(digit.picture, rng.choice((-1, 0, 0, 1)))


def _seen_digits() -> list[digits.Digit]:
    """List the training digits without the one that is never shown."""
    return [d for d in digits.load_digit_rows("train") if d.word != digits.UNSEEN_DIGIT]


def shift_columns(picture: Picture, by: int) -> Picture:
    """Move the image by columns, unless a pixel that is not blank would be lost."""
    rows = [picture[i : i + SIDE] for i in range(0, len(picture), SIDE)]
    edge = SIDE - 1 if by > 0 else 0
    if not by or any(row[edge] for row in rows):
        return picture
    moved = [(0, *row[:-1]) if by > 0 else (*row[1:], 0) for row in rows]
    return tuple(level for row in moved for level in row)


class _ImageTrainer:
    """Pretraining of one base."""

    def __init__(self, name: str, model: Any, tokenizer: Any, seed: int, positions: int) -> None:
        """Prepare optimiser, sampler and the range of first positions."""
        self.name, self.model, self.tokenizer, self.seed = name, model, tokenizer, seed
        self.rng = random.Random(f"{name}/{seed}")
        self.positions = positions
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=_LEARNING_RATE[name], betas=(0.9, 0.98), weight_decay=0.05
        )
        self.tokens = self.step = 0

    def run(self, budget: int, out: Path, report: Report) -> dict[str, Any]:
        """Train on `budget` tokens; the learning rate falls to zero along a cosine."""
        start = last_report = time.monotonic()
        curve: list[dict[str, Any]] = []
        while self.tokens < budget:
            loss = self._update(self.tokens / budget)
            now = time.monotonic()
            if now - last_report > 15:
                last_report = now
                report({"step": self.step, "seconds": round(now - start), "tokens": self.tokens,
                        "loss": round(loss, 4)})  # fmt: skip
                if not math.isfinite(loss):
                    raise ArithmeticError(f"the loss of {self.name} is not finite")
            if budget > self.tokens > budget * (len(curve) + 1) / _MEASUREMENTS:
                curve.append(self.measure(round(now - start), _INTERIM_COUNT))
                report(curve[-1])
                save_base(self.model, self.tokenizer, out)
        final = self.measure(round(time.monotonic() - start), _FINAL_COUNT)
        report(final)
        return final | {"curve": curve, "budget": budget, "seed": self.seed, "drawn": _FINAL_COUNT}

    def _update(self, share: float) -> float:
        """Do one optimiser step at this share of the budget, and return the loss."""
        self.model.train()
        factor = min(1.0, (self.step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        for group in self.optimizer.param_groups:
            group["lr"] = _LEARNING_RATE[self.name] * factor
        ids, weights, starts = self.batch([sample_pair(self.name, self.rng) for _ in range(_BATCH)])
        with torch.autocast("cpu", torch.bfloat16):
            loss = self._loss(ids, weights, starts)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += int((weights > 0).sum())
        return float(loss.detach())

    def batch(
        self, pairs: list[PromptPicture], offset: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Build ids (n, t), loss weights (n, t) and first positions (n,) of some pairs."""
        end = self.tokenizer.eos_token_id
        texts = [f"{prompt} {DRAW}" for prompt, _ in pairs]
        encode = lambda rows: self.tokenizer(rows, add_special_tokens=False)["input_ids"]
        heads, tails = encode(texts), encode([canvas.picture_to_words(p) for _, p in pairs])
        width = max(len(h) + len(t) for h, t in zip(heads, tails, strict=True)) + 2
        ids = torch.full((len(pairs), width), self.tokenizer.pad_token_id)
        weights = torch.zeros(len(pairs), width)
        for i, (head, tail) in enumerate(zip(heads, tails, strict=True)):
            row = [end, *head, *tail, end]
            ids[i, : len(row)] = torch.tensor(row)
            weights[i, : len(head) + 1] = _PROMPT_WEIGHT
            weights[i, len(head) + 1 : len(row)] = 1.0
        spare_positions = self.positions - width
        first_positions = [
            self.rng.randint(0, spare_positions) * (self.rng.random() < 0.5) * offset for _ in pairs
        ]
        return ids, weights, torch.tensor(first_positions)

    def _loss(self, ids: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
        """Return the mean next-token loss of ids (n, t), weighted by weights (n, t)."""
        positions = torch.arange(ids.shape[1]) + starts[:, None]
        mask = (ids != self.tokenizer.pad_token_id).long()
        position_inputs = {"attention_mask": mask, "position_ids": positions}
        logits = self.model(ids, **position_inputs).logits[:, :-1].float()
        token_losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        token_weights = weights[:, 1:].flatten()
        return (token_losses * token_weights).sum() / token_weights.sum()

    @torch.no_grad()
    def measure(self, seconds: int, count: int) -> dict[str, Any]:
        """Measure the loss on unseen images, and how often generated ones match the prompt."""
        self.model.eval()
        ids, weights, starts = self.batch(self._held_out(), offset=False)
        weights = (weights == 1.0).float()
        measurements = {"step": self.step, "seconds": seconds, "tokens": self.tokens,
                 "validation_loss": round(float(self._loss(ids, weights, starts)), 4)}  # fmt: skip
        return measurements | (
            self._digits(count) if self.name == "tiny-digits" else self._scenes(count)
        )

    def _held_out(self) -> list[PromptPicture]:
        """Return pairs that are not trained on."""
        if self.name == "tiny-digits":
            rows = [
                d for d in digits.load_digit_rows("validation") if d.word != digits.UNSEEN_DIGIT
            ]
            return [(digits.digit_prompt(d.word), d.picture) for d in rows]
        rng = random.Random(f"held out/{self.seed}")
        return [sample_pair(self.name, rng) for _ in range(200)]

    def _digits(self, count: int) -> dict[str, float]:
        """Return the shares of generated digits that are recognised as what was asked."""
        seen = [digits.SEEN_DIGITS[i % len(digits.SEEN_DIGITS)] for i in range(count)]
        predicted = digits.digit_classifier().predict(
            self.generate_pictures([digits.digit_prompt(word) for word in seen])
        )
        unseen = digits.digit_classifier().predict(
            self.generate_pictures([digits.digit_prompt(digits.UNSEEN_DIGIT)] * count)
        )
        right = sum(a == b for a, b in zip(predicted, seen, strict=True))
        return {"alignment": round(right / count, 3),
                "unseen": round(unseen.count(digits.UNSEEN_DIGIT) / count, 3)}  # fmt: skip

    def _scenes(self, count: int) -> dict[str, float]:
        """Return for each kind of scene the share of images that match their prompt."""
        shares: dict[str, float] = {}
        for kind in scenes.SCENE_KINDS[:-1]:
            rng = random.Random(f"{kind}/{self.seed}")
            requested = [scenes.sample_scene(rng, kind) for _ in range(count)]
            pictures = self.generate_pictures([scene.prompt for scene in requested])
            right = [scenes.scene_match(*pair) for pair in zip(requested, pictures, strict=True)]
            shares[kind] = round(sum(right) / count, 3)
        return shares

    def generate_pictures(self, prompts: list[str]) -> list[Picture]:
        """Generate one image for each prompt."""
        texts = [f"{self.tokenizer.bos_token} {prompt} {DRAW}" for prompt in prompts]
        inputs = self.tokenizer(texts, return_tensors="pt", padding=True)
        keys = [f"measure/{i}" for i in range(len(prompts))]
        out = self.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            **sampling.sampling_options(self.tokenizer, keys, TEMPERATURE),
        )
        decoded = self.tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :])
        return [canvas.words_to_picture(text) for text in decoded]
