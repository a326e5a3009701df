"""The tokenizer of a GGUF file: byte-level BPE with a way of splitting that is known by name.

How a text is split before merging decides every token, and the file only names it. A name that is
not in SPLITS is refused, as are vocabularies of other kinds, which have no merges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

from peftcore.errors import BadInput, unknown_name
from peftcore.intake.gguf_file import GgufHeader

CONTROL, USER_DEFINED = 3, 4  # types of tokens that are never merged from pieces
SPECIAL_TOKENS = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "pad_token": "padding_token_id",
    "unk_token": "unknown_token_id",
}
# Contractions; a word with what stands before it; single digits; signs; line ends; blanks.
QWEN2_PATTERN = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


@dataclass(frozen=True)
class TextSplit:
    """The normalising and splitting of texts before pieces are merged."""

    pre_tokenizer: Callable[[], Any]
    normalizer: Callable[[], Any] | None = None


def _bytes(use_regex: bool) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def _single_digits() -> Any:
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _bytes(True)])


def _qwen2() -> Any:
    pieces = pre_tokenizers.Split(Regex(QWEN2_PATTERN), "isolated", invert=False)
    return pre_tokenizers.Sequence([pieces, _bytes(False)])


SPLITS: Mapping[str, TextSplit] = {
    "smollm": TextSplit(_single_digits),
    "gpt-2": TextSplit(lambda: _bytes(True)),
    "qwen2": TextSplit(_qwen2, normalizers.NFC),
}


def check_tokenizer(header: GgufHeader) -> None:
    """Raise BadInput if the file's tokenizer cannot be rebuilt exactly."""
    file, kind = header.path.name, header.get("tokenizer.ggml.model", str)
    if kind != "gpt2":
        raise BadInput(
            f"{file} has a tokenizer of kind {kind[:40]!r}; only byte-level BPE ('gpt2') can be "
            "rebuilt from such a file: bring the model as a folder with its tokenizer.json"
        )
    split = header.get("tokenizer.ggml.pre", str)
    if split not in SPLITS:
        error = unknown_name("way of splitting texts", split[:40], SPLITS)
        raise BadInput(f"{file}: {error}; bring the model as a folder with its tokenizer.json")
    tokens, merges = (
        header.texts("tokenizer.ggml.tokens"),
        header.texts("tokenizer.ggml.merges"),
    )
    known = set(tokens)
    if len(known) != len(tokens):
        raise BadInput(f"{file} has the same token twice in its vocabulary")
    for merge in merges:
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= known:
            raise BadInput(f"{file} merges {merge[:40]!r}, which are no tokens of its vocabulary")
    types = header.fields.get("tokenizer.ggml.token_type", [])
    if types and len(types) != len(tokens):
        raise BadInput(f"{file} has {len(tokens):,} tokens and types of {len(types):,}")
    for field in SPECIAL_TOKENS.values():
        _special_token(header, tokens, field)


def _special_token(header: GgufHeader, tokens: list[str], field: str) -> str | None:
    """Return the token that a field names by its id, or None."""
    index = header.get(f"tokenizer.ggml.{field}", int, -1)
    if index >= len(tokens):
        raise BadInput(
            f"{header.path.name}: {field} is {index:,} and the vocabulary has {len(tokens):,} "
            "tokens"
        )
    return tokens[index] if index >= 0 else None


def build_tokenizer(header: GgufHeader, window: int) -> PreTrainedTokenizerFast:
    """Rebuild the tokenizer of a checked file; `window` is the longest input in tokens."""
    tokens = header.texts("tokenizer.ggml.tokens")
    halves = (text.partition(" ") for text in header.texts("tokenizer.ggml.merges"))
    pairs = [(left, right) for left, _, right in halves]
    core = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=pairs))
    split = SPLITS[header.get("tokenizer.ggml.pre", str)]
    core.pre_tokenizer = split.pre_tokenizer()
    if split.normalizer:
        core.normalizer = split.normalizer()
    core.decoder = decoders.ByteLevel()
    types = header.fields.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    core.add_special_tokens(_added(tokens, types, CONTROL))
    core.add_tokens(_added(tokens, types, USER_DEFINED))
    names = {
        name: token
        for name, field in SPECIAL_TOKENS.items()
        if (token := _special_token(header, tokens, field)) is not None
    }
    if header.get("tokenizer.ggml.add_bos_token", bool, False) and "bos_token" in names:
        bos = names["bos_token"]
        core.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A",
            pair=f"{bos} $A {bos} $B",
            special_tokens=[(bos, tokens.index(bos))],
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=window,
        clean_up_tokenization_spaces=False,
        **names,
    )
    template = header.get("tokenizer.chat_template", str, "")
    if template:
        fast.chat_template = template
    return fast


def _added(tokens: list[str], types: list[int], kind: int) -> list[AddedToken]:
    """List the tokens of a type as tokens that are found in a text as they stand."""
    return [
        AddedToken(token, special=kind == CONTROL, normalized=False)
        for token, each in zip(tokens, types, strict=True)
        if each == kind
    ]
