"""Pretrain an embedded base model on Miniworld: tokenizer, corpus, loop, files.

`tiny-t5` learns span corruption and skills as text to text, `tiny-bert` masked words, `tiny-gpt`
the next word; all on text that never shows a task's own format (`peftcore.tasks.miniworld.skills`).
`python -m peftcore pretrain tiny-t5 --minutes 55` makes the files under assets/models/.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput, unknown
from peftcore.tasks.miniworld import skills

if TYPE_CHECKING:
    import torch

VOCABULARY = 3200
SENTINELS = 24  # T5's <extra_id_n>
NAMES = ("tiny-t5", "tiny-bert", "tiny-gpt")
JOINER = "\n"  # between source and answer in a decoder's text, as in `batches`
_IGNORED = -100
_LONGEST = 96  # tokens of a pretraining sequence
_GOING_ON = 0.4  # share of the learning rate a run that goes on begins with
_FIRST = 2.0  # weight of an answer's first token in the loss
_POOL = 3072  # sequences that are drawn, sorted by length and cut into batches together
_TOKENS_PER_BATCH = {"tiny-t5": 1500, "tiny-bert": 1500, "tiny-gpt": 1500}
_PLAIN = {"tiny-t5": 0.12, "tiny-bert": 0.3, "tiny-gpt": 0.15}  # share of plain passages


@dataclass(frozen=True)
class Sequence:
    """Token ids of one item: what is read, what is to be written, and which skill it is.

    `agrees` is 0 for a pair that agrees and 1 for one that does not, as BERT numbers its classes.
    """

    source: list[int]
    target: list[int]
    skill: str
    agrees: int = _IGNORED


def pretrain(
    name: str,
    out: Path,
    minutes: float,
    seed: int,
    report: Callable[[dict[str, Any]], None],
    start: Path | None = None,
) -> dict[str, Any]:
    """Train an embedded base for some minutes, save it to `out`, and return its measurements.

    `start` is a folder written before, to go on from; without it weights and tokenizer are new.

    `report` gets a dict every few seconds: step, seconds, tokens, loss; and now and then the
    measurements on held-out text.
    """
    if name not in NAMES:
        raise unknown("embedded base", name, NAMES)
    if minutes <= 0:
        raise BadInput(f"minutes must be above 0; got {minutes}")
    import torch

    torch.manual_seed(seed)
    if start is None:
        tokenizer = make_tokenizer(name)
        model = make_model(name, tokenizer)
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(start)
        model = type(make_model(name, tokenizer)).from_pretrained(start, dtype=torch.float32)
    trainer = _Trainer(name, model, tokenizer, seed)
    trainer.rate *= 1.0 if start is None else _GOING_ON
    measured = trainer.run(minutes, out, report)
    save(model, tokenizer, out)
    write_card(name, out, measured, model.num_parameters())
    return measured


def tokenizer_text(seed: int = 0, lines: int = 12000) -> Iterator[str]:
    """Text the tokenizer's pieces are counted on: passages, lessons and common words."""
    rng = random.Random(f"tokenizer/{seed}")
    common = sorted(set(skills.COMMON))
    for _ in range(60):
        rng.shuffle(common)
        yield " ".join(common)
        yield " ".join(word.capitalize() for word in common)
    for _ in range(lines):
        lesson = skills.draw_lesson(rng)
        if lesson.skill in ("copy", "odd"):
            yield lesson.target
            continue
        yield lesson.source
        yield lesson.target
        yield skills.draw_passage(rng)


def make_tokenizer(name: str) -> Any:
    """A byte-level tokenizer that spells any text, with the special tokens of the family."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    first = {
        "tiny-t5": ["<pad>", "</s>", "<unk>"],
        "tiny-bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        "tiny-gpt": ["<|pad|>", "<|end|>"],
    }[name]
    extra = [f"<extra_id_{n}>" for n in range(SENTINELS)] if name == "tiny-t5" else []
    # spaces beside a gap belong to it: the next word brings its own
    gap = lambda token: AddedToken(token, lstrip=True, rstrip=True, special=True)
    core = Tokenizer(models.BPE())
    # A space before the first word makes it the same token as elsewhere; decoding takes it away.
    core.normalizer = normalizers.Prepend(" ")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    core.train_from_iterator(
        tokenizer_text(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - len(extra),
            special_tokens=[gap(t) if t == "[MASK]" else t for t in first],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    _frame(core, name)
    special: dict[str, Any] = {
        "tiny-t5": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
        "tiny-bert": {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
                      "sep_token": "[SEP]", "mask_token": "[MASK]"},
        "tiny-gpt": {"pad_token": "<|pad|>", "eos_token": "<|end|>", "bos_token": "<|end|>"},
    }[name]  # fmt: skip
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", *names[1:]]
        if name == "tiny-bert"
        else names,
        padding_side="left" if name == "tiny-gpt" else "right",
        additional_special_tokens=[gap(token) for token in extra],
        **special,
    )


def _frame(core: Any, name: str) -> None:
    """Add what the family puts around its texts."""
    from tokenizers import processors

    if name == "tiny-t5":
        core.post_processor = processors.TemplateProcessing(
            single="$A </s>",
            pair="$A </s> $B </s>",
            special_tokens=[("</s>", core.token_to_id("</s>"))],
        )
    elif name == "tiny-bert":
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(t, core.token_to_id(t)) for t in ("[CLS]", "[SEP]")],
        )


def make_model(name: str, tokenizer: Any) -> Any:
    """A base with random weights."""
    from transformers import (
        BertConfig,
        BertForPreTraining,
        GPT2Config,
        GPT2LMHeadModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    size = len(tokenizer)
    pad = tokenizer.pad_token_id
    if name == "tiny-t5":
        shape: dict[str, Any] = {"d_model": 192, "d_kv": 32, "d_ff": 512, "num_heads": 6,
                                 "num_layers": 4, "num_decoder_layers": 3,
                                 "feed_forward_proj": "gated-gelu", "dropout_rate": 0.0,
                                 "tie_word_embeddings": True}  # fmt: skip
        ends = {"pad_token_id": pad, "eos_token_id": tokenizer.eos_token_id,
                "decoder_start_token_id": pad}  # fmt: skip
        return T5ForConditionalGeneration(T5Config(vocab_size=size, **shape, **ends))
    if name == "tiny-bert":
        shape = {"hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 6,
                 "intermediate_size": 768, "max_position_embeddings": 512,
                 "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
        return BertForPreTraining(BertConfig(vocab_size=size, pad_token_id=pad, **shape))
    shape = {"n_embd": 192, "n_layer": 6, "n_head": 6, "n_inner": 768, "n_positions": 512,
             "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # fmt: skip
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": pad}  # fmt: skip
    return GPT2LMHeadModel(GPT2Config(vocab_size=size, **shape, **ends))


def save(model: Any, tokenizer: Any, out: Path) -> None:
    """Write the model as fp16 safetensors with its tokenizer; the model itself stays as it is."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    weights = {v.data_ptr(): k for k, v in reversed(model.state_dict().items())}  # tied ones once
    state = {k: model.state_dict()[k].detach().to(torch.float16) for k in weights.values()}
    model.save_pretrained(out, state_dict=state)
    tokenizer.save_pretrained(out)
    config = json.loads((out / "config.json").read_text())
    config["dtype"] = "float32"  # stored in half precision, computed in single
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


_ABOUT = {
    "tiny-t5": "An encoder-decoder (T5 1.1 layers, d 192, 4+3 layers, 6 heads)",
    "tiny-bert": "An encoder (BERT layers, d 192, 6 layers, 6 heads)",
    "tiny-gpt": "A decoder (GPT-2 layers, d 192, 6 layers, 6 heads)",
}
_LEARNT = {
    "tiny-t5": "span corruption of plain passages and skills as text to text",
    "tiny-bert": "hidden words, and from the first token whether the second text of a pair agrees",
    "tiny-gpt": "the next token of passages and of skills (a line break, then the answer)",
}


def write_card(name: str, out: Path, measured: dict[str, Any], parameters: int) -> None:
    """A README.md beside the weights: what it is, how it was made, how good, what it cannot."""
    last = {k: v for k, v in measured.items() if k not in ("curve", "minutes", "seed")}
    curve = "\n".join(
        f"| {point['tokens']:,} | {point['seconds'] // 60} | {point['validation_loss']:.3f} |"
        for point in [*measured["curve"], last]
    )
    figures = "\n".join(
        f"| {key.replace('_', ' ')} | {value} |"
        for key, value in last.items()
        if key not in ("step", "seconds", "tokens")
    )
    asked = f"--minutes {measured['minutes']:g} --seed {measured['seed']}"
    command = f"python -m peftcore pretrain {name} {asked} --out assets/models/{name}"
    (out / "README.md").write_text(
        f"""# {name}

{_ABOUT[name]} of {parameters / 1e6:.1f} million parameters, pretrained on Miniworld, this
project's own small world of plain English.

Learnt: {_LEARNT[name]}. The text is generated (`peftcore/tasks/miniworld/skills.py`); no third
party's text was used. The Miniworld tasks' templates and sentences never occur in it (a
test checks this). The tokenizer spells any text byte by byte, but knows only the world's words
as whole ones.

Made by `{command}`
on one processor core: {last["step"]:,} steps, {last["tokens"]:,} tokens. Stored in half
precision, computed in single. A run that lasts as long on another machine sees another number
of tokens.

| tokens | minutes | validation loss |
| --- | --- | --- |
{curve}

Held-out skills at the end, in the wordings of pretraining:

| measure | value |
| --- | --- |
{figures}

Limits: it knows a few hundred nouns and short sentences, and nothing of the real world; names and
rare words are spelled in pieces. It is made for showing how adapters work, not for use. The
licence is the project's own.
""",
        "utf-8",
    )


class _Trainer:
    """One base being trained: the data, the optimiser and what is measured on the way."""

    def __init__(self, name: str, model: Any, tokenizer: Any, seed: int) -> None:
        self.name, self.model, self.tokenizer, self.seed = name, model, tokenizer, seed
        self.rng = random.Random(f"{name}/{seed}")
        self.optimizer, self.rate = _optimizer(name, model)
        self.tokens = self.step = 0

    def run(
        self, minutes: float, out: Path, report: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Train until the time is over; the learning rate falls to zero in a line."""
        import torch

        start, seconds = time.monotonic(), minutes * 60
        told, measured_at, losses = start, start, []
        curve: list[dict[str, Any]] = []
        while (spent := time.monotonic() - start) < seconds:
            for batch in self._batches():
                spent = time.monotonic() - start
                if spent >= seconds:
                    break
                losses.append(self._update(batch, self._factor(spent / seconds)))
                now = time.monotonic()
                if now - told > 15:
                    told = now
                    recent = sum(losses) / len(losses)
                    losses = []
                    report({"step": self.step, "seconds": round(spent), "tokens": self.tokens,
                            "loss": round(recent, 4)})  # fmt: skip
                    if not math.isfinite(recent):
                        raise ArithmeticError(f"the loss of {self.name} is not finite")
                if now - measured_at > min(240, seconds / 3):
                    measured_at = now
                    curve.append(self.measure(round(spent)))
                    report(curve[-1])
                    save(self.model, self.tokenizer, out)
        with torch.no_grad():
            count = 400 if minutes >= 5 else 8
            final = self.measure(round(time.monotonic() - start), count)
        report(final)
        return final | {"curve": curve, "minutes": minutes, "seed": self.seed}

    def _factor(self, share: float) -> float:
        warm = min(1.0, (self.step + 1) / 200)
        return warm * max(0.02, 1 - share)

    def _update(self, batch: dict[str, torch.Tensor], factor: float) -> float:
        import torch

        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor
        with torch.autocast("cpu", torch.bfloat16):
            loss = self._loss(batch, first=_FIRST)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: dict[str, torch.Tensor], first: float = 1.0) -> torch.Tensor:
        """Mean loss of a batch; the first token of an answer, its verdict, counts `first` times."""
        import torch.nn.functional as F

        if self.name == "tiny-bert":
            return self._masked_loss(batch)
        if self.name == "tiny-t5":
            labels = batch["labels"]
            logits = self.model(**batch).logits
            each = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(),
                                   reduction="none").view(labels.shape)  # fmt: skip
            weights = (labels != _IGNORED).float()
            weights[:, 0] *= first
            return (each * weights).sum() / weights.sum()
        weights = batch["weights"][:, 1:].flatten()
        logits = self.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        each = F.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), batch["input_ids"][:, 1:].flatten(),
            reduction="none",
        )  # fmt: skip
        return (each * weights).sum() / weights.sum()

    def _masked_loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Loss of the hidden words, and of whether a pair agrees where there are pairs."""
        import torch.nn.functional as F

        labels, agrees = batch["labels"], batch["next_sentence_label"]
        inputs = {k: v for k, v in batch.items() if k not in ("labels", "next_sentence_label")}
        out = self.model(**inputs)
        loss = F.cross_entropy(out.prediction_logits.flatten(0, 1).float(), labels.flatten())
        if bool((agrees != _IGNORED).any()):
            loss = loss + F.cross_entropy(out.seq_relationship_logits.float(), agrees)
        return loss

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """A pool of sequences, sorted by length, cut by tokens, in random order."""
        pool = self._draw(self.rng, _POOL)
        pool.sort(key=lambda s: (len(s.source), len(s.target)))
        cuts: list[list[Sequence]] = [[]]
        for item in pool:
            width = len(item.source) + len(item.target)
            if (len(cuts[-1]) + 1) * width > _TOKENS_PER_BATCH[self.name]:
                cuts.append([])
            cuts[-1].append(item)
        self.rng.shuffle(cuts)
        for cut in cuts:
            self.tokens += sum(len(s.source) + len(s.target) for s in cut)
            yield self._collate(cut)

    def _draw(self, rng: random.Random, count: int) -> list[Sequence]:
        """Sequences of the mixture, skills and plain passages."""
        lessons = [
            skills.Lesson("plain", skills.draw_passage(rng), "")
            if rng.random() < _PLAIN[self.name]
            else skills.draw_lesson(rng)
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
        found = [self._sequence(s, t, lesson, rng) for s, t, lesson in rows]
        return [s for s in found if len(s.source) + len(s.target) <= _LONGEST * 2]

    def _sequence(
        self, source: list[int], target: list[int], lesson: skills.Lesson, rng: random.Random
    ) -> Sequence:
        tok, skill = self.tokenizer, lesson.skill
        if self.name == "tiny-t5":
            if skill == "plain":
                source, target = _corrupt(source, tok, rng)
            return Sequence([*source, tok.eos_token_id], [*target, tok.eos_token_id], skill)
        if self.name == "tiny-gpt":
            return Sequence([tok.bos_token_id, *source], [*target, tok.eos_token_id], skill)
        cls, sep = tok.cls_token_id, tok.sep_token_id
        tail = [*target, sep] if target else []
        agrees = int(not lesson.agrees) if lesson.parts else _IGNORED
        return Sequence([cls, *source, sep], tail, skill, agrees)

    def _collate(self, rows: list[Sequence]) -> dict[str, torch.Tensor]:
        import torch

        pad = self.tokenizer.pad_token_id
        if self.name == "tiny-t5":
            inputs = _padded([r.source for r in rows], pad)
            return {
                "input_ids": inputs,
                "attention_mask": (inputs != pad).long(),
                "labels": _padded([r.target for r in rows], _IGNORED),
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
        inputs, labels = self._mask(whole, types * (agrees == _IGNORED).long()[:, None])
        return {"input_ids": inputs, "attention_mask": mask, "token_type_ids": types,
                "labels": labels, "next_sentence_label": agrees}  # fmt: skip

    def _mask(self, whole: torch.Tensor, types: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hide 25 % of the words of a text and 50 % of an answer: mask, sometimes another."""
        import torch

        share = torch.where(types.bool(), 0.5, 0.25)
        special = torch.zeros_like(whole, dtype=torch.bool)
        for token in self.tokenizer.all_special_ids:
            special |= whole == token
        hidden = (torch.rand(whole.shape) < share) & ~special
        labels = torch.where(hidden, whole, _IGNORED)
        roll = torch.rand(whole.shape)
        other = torch.randint(5, len(self.tokenizer), whole.shape)
        inputs = torch.where(hidden & (roll < 0.85), self.tokenizer.mask_token_id, whole)
        inputs = torch.where(hidden & (roll > 0.93), other, inputs)
        return inputs, labels

    def measure(self, seconds: int, count: int = 150) -> dict[str, Any]:
        """Loss on held-out items, and for writers the skills done right, greedily."""
        import torch

        self.model.eval()
        rng = random.Random(f"held out/{self.seed}")
        rows = self._draw(rng, 256)
        rows.sort(key=lambda s: len(s.source))
        found: dict[str, Any] = {"step": self.step, "seconds": seconds, "tokens": self.tokens}
        with torch.no_grad():
            state = torch.random.get_rng_state()
            torch.manual_seed(0)
            losses = [float(self._loss(self._collate(rows[i : i + 64]))) for i in range(0, 256, 64)
                      if rows[i : i + 64]]  # fmt: skip
            torch.random.set_rng_state(state)
            found["validation_loss"] = round(sum(losses) / len(losses), 4)
            found |= self._skills(count) if self.name != "tiny-bert" else self._agreement(count)
        return found

    def _agreement(self, count: int) -> dict[str, float]:
        """Share of pairs an encoder's first token tells apart, by skill."""
        result: dict[str, float] = {}
        rng = random.Random(f"agreement/{self.seed}")
        for skill in ("check", "odd", "same"):
            rows: list[Sequence] = []
            while len(rows) < count:
                rows += [s for s in self._draw(rng, 64) if s.skill == skill]
            batch = self._collate(rows[:count])
            for key in ("labels", "next_sentence_label"):
                gold = batch.pop(key)
            batch["input_ids"] = _padded([r.source + r.target for r in rows[:count]],
                                         self.tokenizer.pad_token_id)  # fmt: skip
            said = self.model(**batch).seq_relationship_logits.argmax(-1)
            result[f"{skill}_agreement"] = round(float((said == gold).float().mean()), 3)
        return result

    def _skills(self, count: int) -> dict[str, float]:
        """Share of right answers in three skills, and BLEU of told cards."""
        from sacrebleu import corpus_bleu

        wanted: dict[str, list[skills.Lesson]] = {"check": [], "odd": [], "pick": [], "card": [],
                                                  "same": []}  # fmt: skip
        rng = random.Random(f"skills/{self.seed}")
        while any(len(v) < count for v in wanted.values()):
            lesson = skills.draw_lesson(rng)
            if lesson.skill in wanted and len(wanted[lesson.skill]) < count:
                wanted[lesson.skill].append(lesson)
        result: dict[str, float] = {}
        for skill, lessons in wanted.items():
            said = self.write([lesson.source for lesson in lessons])
            if skill == "card":
                gold = [[lesson.target for lesson in lessons]]
                result["card_bleu"] = round(corpus_bleu(said, gold).score, 1)
                continue
            pairs = zip(said, lessons, strict=True)
            right = [head(one) == head(lesson.target) for one, lesson in pairs]
            result[f"{skill}_accuracy"] = round(sum(right) / count, 3)
        return result

    def write(self, sources: list[str], longest: int = 40) -> list[str]:
        """What the base writes for some texts, greedily."""
        import torch

        said: list[str] = []
        for i in range(0, len(sources), 50):
            texts = sources[i : i + 50]
            if self.name == "tiny-gpt":
                texts = [f"{self.tokenizer.bos_token}{text}{JOINER}" for text in texts]
            part = self.tokenizer(texts, return_tensors="pt", padding=True)
            with torch.no_grad():
                ids = self.model.generate(
                    input_ids=part["input_ids"], attention_mask=part["attention_mask"],
                    max_new_tokens=longest, do_sample=False,
                )  # fmt: skip
            if self.name == "tiny-gpt":
                ids = ids[:, part["input_ids"].shape[1] :]
            said += self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return said


def head(text: str) -> str:
    """The answer before its reason."""
    for link in (" , ", " since", " because", ": "):
        text = text.partition(link)[0]
    return text.strip()


def _optimizer(name: str, model: Any) -> tuple[Any, float]:
    """The optimiser and its highest learning rate."""
    import torch
    from transformers import Adafactor

    if name == "tiny-t5":  # T5's wide initial embeddings need steps in proportion to the weights
        rate = 1e-2
        return Adafactor(model.parameters(), lr=rate, scale_parameter=True,
                         relative_step=False, warmup_init=False), rate  # fmt: skip
    rate = 1e-3
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98),
                             weight_decay=0.01), rate  # fmt: skip


def _padded(rows: list[list[Any]], fill: float) -> torch.Tensor:
    import torch

    width = max(map(len, rows))
    return torch.tensor([r + [fill] * (width - len(r)) for r in rows])


def _corrupt(ids: list[int], tokenizer: Any, rng: random.Random) -> tuple[list[int], list[int]]:
    """T5's span corruption: about 20 % of the tokens hidden in spans of one to four."""
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


def main() -> None:
    """Command line of this file alone."""
    import argparse
    import sys

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path)
    asked = parser.parse_args()

    def show(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    result = pretrain(asked.name, asked.out, asked.minutes, asked.seed, show, asked.start)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "measured.json").write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
