"""Pretrain an embedded base model on Miniworld: the mixture of texts and the loop.

`tiny-t5` learns span corruption and skills as text to text, `tiny-bert` masked words, `tiny-gpt`
the next word; all on text that never shows a task's own format (`peftcore.tasks.miniworld.skills`).
`python -m peftcore pretrain tiny-t5 --out FOLDER` makes the files under assets/models/.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput, unknown_name
from peftcore.pretraining import image_models as drawing
from peftcore.pretraining.tiny_models import (
    SENTINELS,
    TEXT_MODEL_NAMES,
    make_model,
    make_tokenizer,
    save_base,
    write_card,
)
from peftcore.tasks.miniworld import skills

if TYPE_CHECKING:
    import torch

JOINER = "\n"  # between source and answer in a decoder's text, as in `batching`
_IGNORE_INDEX = -100
_MAX_TOKENS = 96  # tokens of a pretraining sequence
_RESUMED_RATE_SHARE = 0.4  # share of the learning rate a run that goes on begins with
_FIRST_TOKEN_WEIGHT = 2.0  # weight of an answer's first token in the loss
_MEASUREMENTS = 12  # times a run measures its skills
_INTERIM_COUNT, _FINAL_COUNT = 150, 400  # items of each skill, on the way and at the end
_POOL_SIZE = 3072  # sequences sorted by length and batched together
_TOKENS_PER_BATCH = {"tiny-t5": 1500, "tiny-bert": 1500, "tiny-gpt": 1500}
# Tokens a shipped base saw: each takes less than an hour on one core (a figure of the cards).
TOKENS = {"tiny-t5": 18_000_000, "tiny-bert": 11_000_000, "tiny-gpt": 11_000_000} | drawing.TOKENS
_PLAIN_SHARE = {"tiny-t5": 0.12, "tiny-bert": 0.3, "tiny-gpt": 0.15}  # share of plain passages


@dataclass(frozen=True)
class TokenSequence:
    """Token ids of one item: its source, its target, and which skill it trains.

    `agrees` is 0 for a pair that agrees and 1 for one that does not, as BERT numbers its classes.
    """

    source: list[int]
    target: list[int]
    skill: str
    agrees: int = _IGNORE_INDEX


def pretrain_base(
    name: str,
    out: Path,
    tokens: int,
    seed: int,
    report: Callable[[dict[str, Any]], None],
    start: Path | None = None,
) -> dict[str, Any]:
    """Train an embedded base on so many tokens, save it to `out`, return its measurements.

    `start` is a folder written before, to continue from; without it weights and tokenizer are new.
    Everything is counted in tokens, not in time: the same call sees the same text in the same order
    at the same learning rates on a fast machine and on a slow one.

    `report` gets a dict every few seconds: step, seconds, tokens, loss; and now and then the
    measurements on held-out text.
    """
    if name not in (*TEXT_MODEL_NAMES, *drawing.IMAGE_MODEL_NAMES):
        raise unknown_name("embedded base", name, (*TEXT_MODEL_NAMES, *drawing.IMAGE_MODEL_NAMES))
    if tokens <= 0:
        raise BadInput(f"tokens must be above 0; got {tokens}")
    if name in drawing.IMAGE_MODEL_NAMES:
        return _pretrain_image_base(name, out, tokens, seed, report, start)
    import torch

    torch.manual_seed(seed)
    if start is None:
        tokenizer = make_tokenizer(name)
        model = make_model(name, tokenizer)
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(start)
        model = type(make_model(name, tokenizer)).from_pretrained(start, dtype=torch.float32)
    # Fused attention is the slower one on sequences this short (1.3 to 1.7 times a step on a CPU).
    model.set_attn_implementation("eager")
    trainer = _TextTrainer(name, model, tokenizer, seed)
    trainer.learning_rate *= 1.0 if start is None else _RESUMED_RATE_SHARE
    measured = trainer.run(tokens, out, report)
    save_base(model, tokenizer, out)
    write_card(name, out, measured, model.num_parameters())
    return measured


def _pretrain_image_base(
    name: str,
    out: Path,
    tokens: int,
    seed: int,
    report: Callable[[dict[str, Any]], None],
    start: Path | None,
) -> dict[str, Any]:
    """Do the same for a base that generates images, small enough for one uninterrupted go."""
    if start is not None:
        raise BadInput(f"{name} is made in one go; leave --start out")
    from peftcore.pretraining.images import pretrain_image_model as make

    return make(name, out, tokens, seed, report)


class _TextTrainer:
    """Pretraining of one base: its data, optimiser and measurements."""

    def __init__(self, name: str, model: Any, tokenizer: Any, seed: int) -> None:
        """Prepare the sampler and the optimiser."""
        self.name, self.model, self.tokenizer, self.seed = name, model, tokenizer, seed
        self.rng = random.Random(f"{name}/{seed}")
        self.optimizer, self.learning_rate = _optimizer(name, model)
        self.tokens = self.step = 0

    def run(
        self, budget: int, out: Path, report: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Train on `budget` tokens; the learning rate falls to zero linearly."""
        start = last_report = time.monotonic()
        losses: list[float] = []
        curve: list[dict[str, Any]] = []
        while self.tokens < budget:
            for batch in self._batches():
                losses.append(self._update(batch, self._learning_rate_factor(self.tokens / budget)))
                now = time.monotonic()
                if now - last_report > 15:
                    last_report = now
                    recent = sum(losses) / len(losses)
                    losses = []
                    report({"step": self.step, "seconds": round(now - start), "tokens": self.tokens,
                            "loss": round(recent, 4)})  # fmt: skip
                    if not math.isfinite(recent):
                        raise ArithmeticError(f"the loss of {self.name} is not finite")
                if self.tokens >= budget:
                    break
                if self.tokens > budget * (len(curve) + 1) / _MEASUREMENTS:
                    curve.append(self.measure(round(now - start)))
                    report(curve[-1])
                    save_base(self.model, self.tokenizer, out)
        final = self.measure(round(time.monotonic() - start), _FINAL_COUNT)
        report(final)
        return final | {"curve": curve, "budget": budget, "seed": self.seed,
                        "items": [_INTERIM_COUNT, _FINAL_COUNT]}  # fmt: skip

    def _learning_rate_factor(self, share: float) -> float:
        """Return the factor on the learning rate at this share of the budget."""
        warm = min(1.0, (self.step + 1) / 200)
        return warm * max(0.0, 1 - share)

    def _update(self, batch: dict[str, torch.Tensor], factor: float) -> float:
        """Do one optimiser step and return the loss."""
        import torch

        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        with torch.autocast("cpu", torch.bfloat16):
            loss = self._loss(batch, first_weight=_FIRST_TOKEN_WEIGHT)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: dict[str, torch.Tensor], first_weight: float = 1.0) -> torch.Tensor:
        """Return a batch's mean loss; an answer's first token, its verdict, weighs first_weight."""
        import torch.nn.functional as F

        if self.name == "tiny-bert":
            return self._masked_loss(batch)
        if self.name == "tiny-t5":
            labels = batch["labels"]
            logits = self.model(**batch).logits
            token_losses = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(),
                                   reduction="none").view(labels.shape)  # fmt: skip
            weights = (labels != _IGNORE_INDEX).float()
            weights[:, 0] *= first_weight
            return (token_losses * weights).sum() / weights.sum()
        weights = batch["weights"][:, 1:].flatten()
        logits = self.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        token_losses = F.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), batch["input_ids"][:, 1:].flatten(),
            reduction="none",
        )  # fmt: skip
        return (token_losses * weights).sum() / weights.sum()

    def _masked_loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss of masked words, and of whether a pair agrees where there are pairs."""
        import torch.nn.functional as F

        labels, agrees = batch["labels"], batch["next_sentence_label"]
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "next_sentence_label")}
        out = self.model(**inputs)
        loss = F.cross_entropy(out.prediction_logits.flatten(0, 1).float(), labels.flatten())
        if bool((agrees != _IGNORE_INDEX).any()):
            loss = loss + F.cross_entropy(out.seq_relationship_logits.float(), agrees)
        return loss

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """Yield batches from a pool of sequences, sorted by length, cut by tokens, shuffled."""
        pool = self._sample_sequences(self.rng, _POOL_SIZE)
        pool.sort(key=lambda s: (len(s.source), len(s.target)))
        cuts: list[list[TokenSequence]] = [[]]
        for item in pool:
            width = len(item.source) + len(item.target)
            if (len(cuts[-1]) + 1) * width > _TOKENS_PER_BATCH[self.name]:
                cuts.append([])
            cuts[-1].append(item)
        self.rng.shuffle(cuts)
        for cut in cuts:
            self.tokens += sum(len(s.source) + len(s.target) for s in cut)
            yield self._collate(cut)

    def _sample_sequences(self, rng: random.Random, count: int) -> list[TokenSequence]:
        """Sample sequences of the mixture: skills and plain passages."""
        lessons = [
            skills.SkillExample("plain", skills.sample_passage(rng), "")
            if rng.random() < _PLAIN_SHARE[self.name]
            else skills.sample_skill_example(rng)
            for _ in range(count)
        ]
        pairs = self.name == "tiny-bert"
        texts = [(lesson.parts if pairs and lesson.parts else (lesson.source, lesson.target))
                 for lesson in lessons]  # fmt: skip
        if self.name == "tiny-gpt":
            texts = [(source + (JOINER if target else ""), target) for source, target in texts]
        encode = lambda rows: self.tokenizer(rows, add_special_tokens=False)["input_ids"]
        sources, targets = encode([t[0] for t in texts]), encode([t[1] for t in texts])
        rows = zip(sources, targets, lessons, strict=True)
        sequences = [self._sequence(s, t, lesson, rng) for s, t, lesson in rows]
        return [s for s in sequences if len(s.source) + len(s.target) <= _MAX_TOKENS * 2]

    def _sequence(
        self, source: list[int], target: list[int], lesson: skills.SkillExample, rng: random.Random
    ) -> TokenSequence:
        """Build the token sequence of one item as this kind of base reads it."""
        tok, skill = self.tokenizer, lesson.skill
        if self.name == "tiny-t5":
            if skill == "plain":
                source, target = _corrupt(source, tok, rng)
            return TokenSequence([*source, tok.eos_token_id], [*target, tok.eos_token_id], skill)
        if self.name == "tiny-gpt":
            return TokenSequence([tok.bos_token_id, *source], [*target, tok.eos_token_id], skill)
        cls, sep = tok.cls_token_id, tok.sep_token_id
        tail = [*target, sep] if target else []
        agrees = int(not lesson.agrees) if lesson.parts else _IGNORE_INDEX
        return TokenSequence([cls, *source, sep], tail, skill, agrees)

    def _collate(self, rows: list[TokenSequence]) -> dict[str, torch.Tensor]:
        """Pad sequences to the model's inputs, each (n, t)."""
        import torch

        pad = self.tokenizer.pad_token_id
        if self.name == "tiny-t5":
            inputs = _padded([r.source for r in rows], pad)
            return {
                "input_ids": inputs,
                "attention_mask": (inputs != pad).long(),
                "labels": _padded([r.target for r in rows], _IGNORE_INDEX),
            }
        whole = _padded([r.source + r.target for r in rows], pad)
        mask = (whole != pad).long()
        if self.name == "tiny-gpt":
            weights = _padded([[0.3] * len(r.source) + [1.0] * len(r.target) for r in rows], 0.0)
            for i, row in enumerate(rows):
                if row.skill == "plain":
                    weights[i, : len(row.source)] = 1.0
            return {"input_ids": whole, "attention_mask": mask, "weights": weights}
        types = _padded([[0] * len(r.source) + [1] * len(r.target) for r in rows], 0)
        agrees = torch.tensor([r.agrees for r in rows])
        inputs, labels = self._mask(whole, types * (agrees == _IGNORE_INDEX).long()[:, None])
        return {"input_ids": inputs, "attention_mask": mask, "token_type_ids": types,
                "labels": labels, "next_sentence_label": agrees}  # fmt: skip

    def _mask(self, whole: torch.Tensor, types: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask 25 % of a text's words and 50 % of an answer's in ids (n, t), as BERT does."""
        import torch

        share = torch.where(types.bool(), 0.5, 0.25)
        special = torch.zeros_like(whole, dtype=torch.bool)
        for token in self.tokenizer.all_special_ids:
            special |= whole == token
        hidden = (torch.rand(whole.shape) < share) & ~special
        labels = torch.where(hidden, whole, _IGNORE_INDEX)
        roll = torch.rand(whole.shape)
        other = torch.randint(5, len(self.tokenizer), whole.shape)
        inputs = torch.where(hidden & (roll < 0.85), self.tokenizer.mask_token_id, whole)
        inputs = torch.where(hidden & (roll > 0.93), other, inputs)
        return inputs, labels

    def measure(self, seconds: int, count: int = _INTERIM_COUNT) -> dict[str, Any]:
        """Measure the loss on held-out items and, for generating bases, skills done right."""
        import torch

        self.model.eval()
        rng = random.Random(f"held out/{self.seed}")
        rows = self._sample_sequences(rng, 256)
        rows.sort(key=lambda s: len(s.source))
        measurements: dict[str, Any] = {
            "step": self.step,
            "seconds": seconds,
            "tokens": self.tokens,
        }
        with torch.no_grad():
            state = torch.random.get_rng_state()
            torch.manual_seed(0)
            losses = [float(self._loss(self._collate(rows[i : i + 64]))) for i in range(0, 256, 64)
                      if rows[i : i + 64]]  # fmt: skip
            torch.random.set_rng_state(state)
            measurements["validation_loss"] = round(sum(losses) / len(losses), 4)
            measurements |= (
                self._skills(count) if self.name != "tiny-bert" else self._agreement(count)
            )
        return measurements

    def _agreement(self, count: int) -> dict[str, float]:
        """Return by skill the share of pairs that an encoder's first token tells apart."""
        result: dict[str, float] = {}
        rng = random.Random(f"agreement/{self.seed}")
        for skill in ("check", "odd", "same"):
            rows: list[TokenSequence] = []
            while len(rows) < count:
                rows += [s for s in self._sample_sequences(rng, 64) if s.skill == skill]
            batch = self._collate(rows[:count])
            for key in ("labels", "next_sentence_label"):
                gold = batch.pop(key)
            batch["input_ids"] = _padded([r.source + r.target for r in rows[:count]],
                                         self.tokenizer.pad_token_id)  # fmt: skip
            predicted = self.model(**batch).seq_relationship_logits.argmax(-1)
            result[f"{skill}_agreement"] = round(float((predicted == gold).float().mean()), 3)
        return result

    def _skills(self, count: int) -> dict[str, float]:
        """Return the share of right answers in three skills, and BLEU of verbalised cards."""
        from sacrebleu import corpus_bleu

        names = ("check", "odd", "pick", "card", "same")
        wanted: dict[str, list[skills.SkillExample]] = {name: [] for name in names}
        rng = random.Random(f"skills/{self.seed}")
        while any(len(v) < count for v in wanted.values()):
            lesson = skills.sample_skill_example(rng)
            if lesson.skill in wanted and len(wanted[lesson.skill]) < count:
                wanted[lesson.skill].append(lesson)
        result: dict[str, float] = {}
        for skill, lessons in wanted.items():
            answers = self.generate_texts([lesson.source for lesson in lessons])
            if skill == "card":
                gold = [[lesson.target for lesson in lessons]]
                result["card_bleu"] = round(corpus_bleu(answers, gold).score, 1)
                continue
            pairs = zip(answers, lessons, strict=True)
            right = [
                answer_before_reason(answer) == answer_before_reason(lesson.target)
                for answer, lesson in pairs
            ]
            result[f"{skill}_accuracy"] = round(sum(right) / count, 3)
        return result

    def generate_texts(self, sources: list[str], longest: int = 40) -> list[str]:
        """Generate texts for these sources, greedily."""
        import torch

        outputs: list[str] = []
        for i in range(0, len(sources), 50):
            texts = sources[i : i + 50]
            if self.name == "tiny-gpt":
                texts = [f"{self.tokenizer.bos_token}{text}{JOINER}" for text in texts]
            inputs = self.tokenizer(texts, return_tensors="pt", padding=True)
            with torch.no_grad():
                ids = self.model.generate(
                    input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                    max_new_tokens=longest, do_sample=False,
                )  # fmt: skip
            if self.name == "tiny-gpt":
                ids = ids[:, inputs["input_ids"].shape[1] :]
            outputs += self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return outputs


def answer_before_reason(text: str) -> str:
    """Return the part of an answer before its reason."""
    for link in (" , ", " since", " because", ": "):
        text = text.partition(link)[0]
    return text.strip()


def _optimizer(name: str, model: Any) -> tuple[Any, float]:
    """Return the optimiser and its highest learning rate."""
    import torch
    from transformers import Adafactor

    if name == "tiny-t5":  # T5's wide initial embeddings need steps in proportion to the weights
        learning_rate = 1.5e-2
        return Adafactor(model.parameters(), lr=learning_rate, scale_parameter=True,
                         relative_step=False, warmup_init=False), learning_rate  # fmt: skip
    learning_rate = 2e-3 if name == "tiny-gpt" else 1e-3
    return torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98),
                             weight_decay=0.01), learning_rate  # fmt: skip


def _padded(rows: list[list[Any]], fill: float) -> torch.Tensor:
    """Pad lists of numbers to one tensor (n, t)."""
    import torch

    width = max(map(len, rows))
    return torch.tensor([r + [fill] * (width - len(r)) for r in rows])


def _corrupt(ids: list[int], tokenizer: Any, rng: random.Random) -> tuple[list[int], list[int]]:
    """Apply T5's span corruption: about 20 % of the tokens, in spans of one to four."""
    first = tokenizer.convert_tokens_to_ids("<extra_id_0>")
    spans: list[tuple[int, int]] = []
    position = rng.randint(0, 5)
    while position < len(ids) and len(spans) < SENTINELS:
        length = rng.choice((1, 1, 2, 3, 4))
        spans.append((position, min(len(ids), position + length)))
        position += length + rng.randint(4, 12)
    source: list[int] = []
    target: list[int] = []
    end = 0
    for n, (begin, stop) in enumerate(spans):
        source += [*ids[end:begin], first + n]
        target += [first + n, *ids[begin:stop]]
        end = stop
    return source + ids[end:], target
