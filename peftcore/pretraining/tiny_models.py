"""An embedded base model before training: tokenizer, random weights, files, card.

`peftcore.pretraining.text` trains them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peftcore.tasks.miniworld import skills

TEXT_MODEL_NAMES = ("tiny-t5", "tiny-bert", "tiny-gpt")
VOCABULARY = 3200
SENTINELS = 24  # T5's <extra_id_n>


def tokenizer_text(seed: int = 0, lines: int = 12000) -> Iterator[str]:
    """Yield the text that the tokenizer is trained on: passages, skills and common words."""
    rng = random.Random(f"tokenizer/{seed}")
    common = sorted(set(skills.COMMON))
    for _ in range(60):
        rng.shuffle(common)
        yield " ".join(common)
        yield " ".join(word.capitalize() for word in common)
    for _ in range(lines):
        lesson = skills.sample_skill_example(rng)
        if lesson.skill in ("copy", "odd"):
            yield lesson.target
            continue
        yield lesson.source
        yield lesson.target
        yield skills.sample_passage(rng)


def make_tokenizer(name: str) -> Any:
    """Train a byte-level tokenizer, with the special tokens of the architecture."""
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
    lone_token = lambda token: AddedToken(token, lstrip=True, rstrip=True, special=True)
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
            special_tokens=[lone_token(t) if t == "[MASK]" else t for t in first],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    _add_post_processor(core, name)
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
        additional_special_tokens=[lone_token(token) for token in extra],
        **special,
    )


def _add_post_processor(core: Any, name: str) -> None:
    """Add the special tokens that the architecture puts around its texts."""
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
    """Build a base with random weights."""
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


def save_base(model: Any, tokenizer: Any, out: Path) -> None:
    """Write the model as fp16 safetensors with its tokenizer; the model itself is not changed."""
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

_WRITTEN = """Check: does a statement agree with a story (three answers, and two in five prompts
name other words for them); odd: which of two does not belong (chance 0.50); pick: one of two to
five options (chance about 0.34); same: do two texts mean the same (chance 0.50); card: BLEU of
facts told as text, one reference."""
_MEASURES = {
    "tiny-t5": _WRITTEN,
    "tiny-gpt": _WRITTEN,
    "tiny-bert": """Agreement is what the first token says of a pair: does a statement agree with a
story (check; always saying the more frequent answer reaches about 0.7), do two texts go together
(odd, 0.50) or mean the same (same, 0.50).""",
}


def write_card(name: str, out: Path, measured: dict[str, Any], parameters: int) -> None:
    """Write a README.md beside the weights: what it is, how it was made, measurements, limits."""
    last = {k: v for k, v in measured.items() if k not in ("curve", "budget", "seed", "items")}
    figures = [key for key in last if key not in ("step", "seconds", "tokens")]
    row = lambda cells: "| " + " | ".join(cells) + " |"
    table = [row(["tokens", "minutes", *(key.replace("_", " ") for key in figures)])]
    table.append(row(["---"] * (len(figures) + 2)))
    for point in [*measured["curve"], last]:
        counts = [f"{point['tokens']:,}", f"{point['seconds'] / 60:.0f}"]
        table.append(row(counts + [f"{point[key]:g}" for key in figures]))
    curve = "\n".join(table)
    few, many = measured["items"]
    arguments = f"--tokens {measured['budget']} --seed {measured['seed']}"
    command = f"python -m peftcore pretrain {name} {arguments} --out assets/models/{name}"
    (out / "README.md").write_text(
        f"""# {name}

{_ABOUT[name]}
of {parameters / 1e6:.1f} million parameters, pretrained on Miniworld, this project's own small
world of plain English.

Learnt: {_LEARNT[name]}.
The text is generated (`peftcore/tasks/miniworld/skills.py`); no third party's text was used. The
Miniworld tasks' templates and sentences never occur in it (a test checks this). The tokenizer
spells any text byte by byte, but knows only the world's words as whole ones.

Made by `{command}`
on one processor core: {last["step"]:,} steps, {last["tokens"]:,} tokens. Stored in half
precision, computed in single.

On held-out items, in the wordings of pretraining ({few} a skill, {many} in the last row):

{curve}

{_MEASURES[name]}

Limits: it knows a few hundred nouns and short sentences, and nothing of the real world; names and
rare words are spelled in pieces. It is made for showing how adapters work, not for use. The
licence is the project's own.
""",
        "utf-8",
    )
