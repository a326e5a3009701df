"""Do the parts of a base belong together: weights, tokenizer, positions, configuration?

Each check yields findings; the same ones make the report on a folder and refuse a base when it is
loaded. Models may be on "meta": only names and shapes are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from peftcore.models.architectures import ModelKind, find_architecture
from peftcore.models.base_report import BaseFinding
from peftcore.models.positions import usable_window

# Tensors that nothing here reads, or that the library computes anew.
UNREAD = re.compile(r"(^|\.)(pooler\.|position_ids$|inv_freq$|masked_bias$)")


def check_weights(model: Any, loading_info: Mapping[str, Any]) -> Iterator[BaseFinding]:
    """Compare a model's weights with its files, from the library's report of loading them.

    Missing tensors would be random, those of further layers or of biases would be left out without
    a word. What no method reads may be missing (a pooler), and heads for other uses may be there.
    """
    if problem := _weight_problem(model, loading_info):
        yield BaseFinding("weights", "error", problem)
        return
    count = sum(parameter.numel() for parameter in model.parameters())
    head = model.get_output_embeddings()
    tied = head is not None and head.weight is model.get_input_embeddings().weight
    of_head = "" if head is None else f", the head {'tied' if tied else 'of its own'}"
    yield BaseFinding("weights", "ok", f"{count:,} numbers, none missing{of_head}")
    surplus = sorted(name for name in loading_info["unexpected_keys"] if not UNREAD.search(name))
    if surplus:
        sentence = f"{_count(surplus, 'tensor')} for other uses, not read: {_listed(surplus)}"
        yield BaseFinding("weights", "ok", sentence)


def _weight_problem(model: Any, loading_info: Mapping[str, Any]) -> str:
    """Say what is wrong between a model's weights and its files, empty if nothing is."""
    missing = sorted(name for name in loading_info["missing_keys"] if not UNREAD.search(name))
    if missing:
        tied = ""
        if all("lm_head" in name for name in missing):
            tied = ", and config.json does not tie it to the embeddings (tie_word_embeddings)"
        return (
            f"its files lack {_count(missing, 'tensor')} that config.json asks for{tied}, which "
            f"would be random: {_listed(missing)}; copy the whole model, or correct config.json"
        )
    if unequal := sorted(loading_info["mismatched_keys"]):
        shapes = [f"{name} {tuple(stored)} for {tuple(wanted)}" for name, stored, wanted in unequal]
        return (
            f"{_count(shapes, 'tensor')} of its files differ in shape from what config.json asks "
            f"for: {_listed(shapes)}; they belong to different models"
        )
    left_out = sorted(_meaningful_surplus(model, loading_info["unexpected_keys"]))
    if left_out:
        return (
            f"its files hold {_count(left_out, 'tensor')} that the model of config.json has no "
            f"place for: {_listed(left_out)}; they belong to different models"
        )
    return ""


def _meaningful_surplus(model: Any, names: Iterable[str]) -> set[str]:
    """Return those surplus tensors that belong to the model's own parts.

    More layers than the configuration has, a bias of a matrix without one, or adapters: all else
    is a head for another use, or a buffer that is computed.
    """
    own = set(model.state_dict())
    own |= {name.removeprefix(f"{model.base_model_prefix}.") for name in own}
    numbered = {re.sub(r"\.\d+\.", ".#.", name) for name in own}

    def belongs(name: str) -> bool:
        short = name.removeprefix(f"{model.base_model_prefix}.")
        weight = f"{short.removesuffix('bias')}weight"
        return (
            re.sub(r"\.\d+\.", ".#.", short) in numbered
            or (short.endswith(".bias") and weight in own)
            or ".lora_" in name
            or ".base_layer." in name
        )

    return {name for name in names if not UNREAD.search(name) and belongs(name)}


def _count(items: Sequence[str], noun: str) -> str:
    """Return "1 tensor" or "3 tensors"."""
    return f"{len(items)} {noun}{'s' * (len(items) != 1)}"


def _listed(items: Sequence[str], most: int = 4) -> str:
    """Name the first few items and count the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def check_tokenizer(model: Any, tokenizer: Any) -> Iterator[BaseFinding]:
    """Compare a tokenizer and its special tokens with the model that reads its ids."""
    yield from _check_vocabulary(model, tokenizer)
    yield from _check_special_tokens(model, tokenizer)


def _check_vocabulary(model: Any, tokenizer: Any) -> Iterator[BaseFinding]:
    """Compare the tokenizer's ids with the rows of the embedding."""
    rows, ids = len(model.get_input_embeddings().weight), tokenizer.get_vocab()
    beyond = sorted((token for token, i in ids.items() if i >= rows), key=ids.__getitem__)
    ordinary = [token for token in beyond if token not in tokenizer.get_added_vocab()]
    if ordinary:
        sentence = (
            f"its tokenizer knows {len(ids):,} tokens and the embedding has {rows:,} rows: they "
            "belong to different models"
        )
        yield BaseFinding("tokenizer", "error", sentence)
        return
    yield BaseFinding("tokenizer", "ok", f"{len(ids):,} tokens for {rows:,} rows of the embedding")
    if beyond:
        sentence = (
            f"{len(beyond)} added tokens have no row in the embedding and must not be used: "
            f"{', '.join(map(repr, beyond[:5]))}"
        )
        yield BaseFinding("tokenizer", "warning", sentence)
    elif len(ids) < 0.8 * rows:
        sentence = (
            f"{rows - len(ids):,} of {rows:,} rows of the embedding have no token: check that the "
            "tokenizer is this model's"
        )
        yield BaseFinding("tokenizer", "warning", sentence)


def _check_special_tokens(model: Any, tokenizer: Any) -> Iterator[BaseFinding]:
    """Check that the tokens a base of this kind needs exist and have a row."""
    kind, rows = (
        find_architecture(model.config.model_type).kind,
        len(model.get_input_embeddings().weight),
    )
    ids = {"end": tokenizer.eos_token_id, "padding": tokenizer.pad_token_id}
    ids |= {"start": tokenizer.bos_token_id}
    if kind == "encoder-decoder":
        own = getattr(model.config, "decoder", None)  # T5Gemma begins with that stack's own start
        start = getattr(model.config, "decoder_start_token_id", None)
        ids["decoder start"] = getattr(own, "bos_token_id", None) if start is None else start
    needed = {
        "encoder": ("padding",),
        "decoder": ("end",),
        "encoder-decoder": ("end", "decoder start"),
    }
    if kind == "encoder" and ids["padding"] is None:
        ids["padding"] = ids["end"]  # what pads where there is no padding token
    errors = [f"it has no {name} token" for name in needed[kind] if ids[name] is None]
    errors += [
        f"its {name} token has id {i}, and the embedding has {rows:,} rows"
        for name, i in ids.items()
        if i is not None and not 0 <= i < rows
    ]
    for sentence in errors:
        yield BaseFinding("special tokens", "error", sentence)
    if not errors:
        named = ", ".join(f"{name} {i}" for name, i in ids.items() if i is not None)
        yield BaseFinding("special tokens", "ok", f"ids: {named}")
    yield from _differing_tokens(model, tokenizer, kind)


def _differing_tokens(model: Any, tokenizer: Any, kind: ModelKind) -> Iterator[BaseFinding]:
    """Warn where config and tokenizer name different tokens and it matters."""
    ids = {"end": tokenizer.eos_token_id}
    padding = getattr(model.config, "pad_token_id", None)
    architecture = find_architecture(model.config.model_type)
    if architecture.positions_after_padding and padding != tokenizer.pad_token_id:
        sentence = (
            f"config.json pads with {padding}, the tokenizer with {tokenizer.pad_token_id}: "
            "positions are counted by the former"
        )
        yield BaseFinding("special tokens", "warning", sentence)
    own = getattr(model.config, "eos_token_id", None)
    ends = own if isinstance(own, list) else [own]
    if kind != "encoder" and own is not None and ids["end"] not in (None, *ends):
        sentence = (
            f"config.json ends texts with {own}, the tokenizer with {ids['end']}: the latter counts"
        )
        yield BaseFinding("special tokens", "warning", sentence)


def check_positions(model: Any) -> Iterator[BaseFinding]:
    """Say how long a text may be."""
    architecture = find_architecture(model.config.model_type)
    window = usable_window(architecture, model.config.to_dict())
    if window is not None and window < 1:
        yield BaseFinding("positions", "error", f"no text fits: {window} positions are left")
        return
    limit = "no limit to the length of a text" if window is None else f"texts of {window:,} tokens"
    yield BaseFinding("positions", "ok", limit)
