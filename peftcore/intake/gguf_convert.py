"""Turn a GGUF file of the Llama family into a folder as transformers writes it.

The file stores the two halves of each head's rotary dimensions interleaved where its architecture
is "llama" (Mistral's files say that, too), and as transformers has them where it is "qwen2". What
the file says beyond what these two architectures compute (experts, sliding windows, rotary
scaling) is refused, since leaving it out would give another model. Tensors are turned one by one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gguf.constants import GGMLQuantizationType
from torch import Tensor
from transformers import (
    GenerationConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from peftcore.errors import BadInput, unknown_name
from peftcore.intake import gguf_file, gguf_tokenizer
from peftcore.intake.gguf_file import GgufHeader, GgufTensor
from peftcore.system import safetensors_files

CHUNK_NUMBERS = 4_000_000  # unpacked at once
MAX_LAYERS = 1_000
WEIGHTS = "model.safetensors"
# What the fields of a file may not ask for, and the value that asks for nothing.
UNSUPPORTED_FIELDS: Mapping[str, tuple[object, ...]] = {
    "expert_count": (0,),
    "rope.scaling.type": ("", "none"),
    "attention.sliding_window": (0,),
    "attention.causal": (True,),
    "use_parallel_residual": (False,),
}
# Where the numbers of the file are kept without rounding; all others become bfloat16.
EXACT_TYPES = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
}
TYPE_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


@dataclass(frozen=True)
class GgufFamily:
    """The layout of files of one architecture."""

    config: type[PretrainedConfig]
    model_class: str
    interleaved: bool  # the halves of rotary dimensions alternate
    biased: tuple[str, ...] = ()  # matrices with a bias


FAMILIES: Mapping[str, GgufFamily] = {
    "llama": GgufFamily(LlamaConfig, "LlamaForCausalLM", True),
    "qwen2": GgufFamily(Qwen2Config, "Qwen2ForCausalLM", False, ("attn_q", "attn_k", "attn_v")),
}


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a model, compared with the shapes of its tensors."""

    layers: int
    width: int
    heads: int
    key_value_heads: int
    head_width: int
    inner: int  # of the feed-forward part
    words: int


@dataclass(frozen=True)
class TargetTensor:
    """The place of a tensor of the file, and the heads whose halves alternate (0: none)."""

    name: str
    shape: tuple[int, ...]
    interleaved_heads: int = 0


@dataclass(frozen=True)
class Conversion:
    """A file that can be turned into a model, checked as far as its header goes."""

    header: GgufHeader
    family: GgufFamily
    shape: ModelShape
    targets: Mapping[str, TargetTensor]  # by the name in the file
    tied: bool  # the head is the embeddings

    @property
    def dtype(self) -> torch.dtype:
        """Return the type the weights are stored in: that of an unquantised file, or bfloat16."""
        kinds = {t.kind for t in self.header.tensors.values() if len(t.shape) > 1}
        exact = len(kinds) == 1 and EXACT_TYPES.get(next(iter(kinds)))
        return exact or torch.bfloat16

    @property
    def parameter_count(self) -> int:
        """Return how many numbers the model has; a tied head counts once."""
        return sum(math.prod(target.shape) for target in self.targets.values())


def plan_conversion(path: Path) -> Conversion:
    """Read a file's header; BadInput if it cannot become exactly the model it describes."""
    header = gguf_file.read_header(path)
    architecture = header.get("general.architecture", str)
    if architecture not in FAMILIES:
        error = unknown_name("architecture for GGUF files", architecture[:60], FAMILIES)
        raise BadInput(f"{path.name}: {error}")
    if header.fields.get("split.count", 0) not in (0, 1):
        raise BadInput(f"{path.name} is one part of several; join them to one file first")
    for key, harmless in UNSUPPORTED_FIELDS.items():
        value = header.fields.get(f"{architecture}.{key}")
        if value is not None and value not in harmless:
            raise BadInput(
                f"{path.name} asks for {key} = {str(value)[:40]}, which is not computed here; "
                "without it the model would be another"
            )
    gguf_tokenizer.check_tokenizer(header)
    gguf_file.refuse_unreadable_types(header)
    family, shape = FAMILIES[architecture], _read_shape(header, architecture)
    tied = "output.weight" not in header.tensors
    targets = dict(_target_tensors(family, shape, tied))
    _check_tensors(header, targets)
    return Conversion(header, family, shape, targets, tied)


def _read_shape(header: GgufHeader, architecture: str) -> ModelShape:
    """Read the sizes; BadInput if they do not fit each other."""

    def size(key: str, default: int | None = None) -> int:
        value = header.get(f"{architecture}.{key}", int, default)
        if not 1 <= value <= 2**31:
            raise BadInput(f"{header.path.name}: {architecture}.{key} is {value:,}")
        return value

    width, heads = size("embedding_length"), size("attention.head_count")
    head_width = size("attention.key_length", width // heads or 1)
    shape = ModelShape(
        layers=size("block_count"),
        width=width,
        heads=heads,
        key_value_heads=size("attention.head_count_kv", heads),
        head_width=head_width,
        inner=size("feed_forward_length"),
        words=len(header.texts("tokenizer.ggml.tokens")),
    )
    rotary = size("rope.dimension_count", head_width)
    value_width = size("attention.value_length", head_width)
    if (
        shape.layers > MAX_LAYERS
        or heads % shape.key_value_heads
        or head_width % 2
        or rotary != head_width
        or value_width != head_width
    ):
        raise BadInput(
            f"{header.path.name} describes {shape.layers} layers of {heads} heads on "
            f"{shape.key_value_heads}, {head_width} wide with {rotary} rotary dimensions and "
            f"values of {value_width}: no model of the Llama family is like that"
        )
    return shape


def _target_tensors(
    family: GgufFamily, shape: ModelShape, tied: bool
) -> Iterator[tuple[str, TargetTensor]]:
    """Yield every tensor a file must have, by its name there."""
    d, f = shape.width, shape.inner
    q, kv = shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
    yield "token_embd.weight", TargetTensor("model.embed_tokens.weight", (shape.words, d))
    yield "output_norm.weight", TargetTensor("model.norm.weight", (d,))
    if not tied:
        yield "output.weight", TargetTensor("lm_head.weight", (shape.words, d))
    query_heads = shape.heads if family.interleaved else 0
    key_heads = shape.key_value_heads if family.interleaved else 0
    matrices = {
        "attn_q": TargetTensor("self_attn.q_proj", (q, d), query_heads),
        "attn_k": TargetTensor("self_attn.k_proj", (kv, d), key_heads),
        "attn_v": TargetTensor("self_attn.v_proj", (kv, d)),
        "attn_output": TargetTensor("self_attn.o_proj", (d, q)),
        "ffn_gate": TargetTensor("mlp.gate_proj", (f, d)),
        "ffn_up": TargetTensor("mlp.up_proj", (f, d)),
        "ffn_down": TargetTensor("mlp.down_proj", (d, f)),
        "attn_norm": TargetTensor("input_layernorm", (d,)),
        "ffn_norm": TargetTensor("post_attention_layernorm", (d,)),
    }
    for layer in range(shape.layers):
        for name, part in matrices.items():
            path = f"model.layers.{layer}.{part.name}"
            yield (
                f"blk.{layer}.{name}.weight",
                TargetTensor(f"{path}.weight", part.shape, part.interleaved_heads),
            )
            if name in family.biased:
                yield f"blk.{layer}.{name}.bias", TargetTensor(f"{path}.bias", part.shape[:1])


def _check_tensors(header: GgufHeader, targets: Mapping[str, TargetTensor]) -> None:
    """Raise BadInput unless the file has these tensors, of these shapes, and no others."""
    present, expected = set(header.tensors), set(targets)
    if present != expected:
        raise BadInput(safetensors_files.describe_differences(header.path.name, present, expected))
    for name, target in targets.items():
        found = header.tensors[name].shape
        if found != target.shape:
            raise BadInput(
                f"{header.path.name}: tensor {name} has shape {list(found)}, and by the sizes in "
                f"the file it must be {list(target.shape)}"
            )


def describe_shape(conversion: Conversion) -> str:
    """Describe the architecture in words."""
    shape, header = conversion.shape, conversion.header
    return (
        f"{header.get('general.architecture', str)}: {conversion.parameter_count:,} parameters, "
        f"{shape.layers} layers, width {shape.width:,}, {shape.heads} heads on "
        f"{shape.key_value_heads} key-value heads, feed-forward {shape.inner:,}, vocabulary "
        f"{shape.words:,}, context {_window(conversion):,}, "
        f"{'tied head' if conversion.tied else 'a head of its own'}"
    )


def describe(conversion: Conversion) -> str:
    """Describe in words how the weights were turned."""
    counts: dict[str, int] = {}
    for tensor in conversion.header.tensors.values():
        counts[tensor.kind.name] = counts.get(tensor.kind.name, 0) + 1
    kinds = ", ".join(f"{count} of type {name}" for name, count in sorted(counts.items()))
    halves = "the interleaved rotary halves of queries and keys set apart"
    return (
        f"The file's {len(conversion.targets)} tensors ({kinds}) were turned into "
        f"{TYPE_NAMES[conversion.dtype]} safetensors"
        f"{f', {halves}' if conversion.family.interleaved else ''}; tokenizer, special tokens and "
        "chat template are those of the file"
    )


def write_model(conversion: Conversion, folder: Path, report: Callable[[int, int], None]) -> None:
    """Write weights, configuration and tokenizer into an empty folder.

    `report` gets how many of how many tensors are written, before each; it may raise to stop.
    """
    tokenizer = gguf_tokenizer.build_tokenizer(conversion.header, _window(conversion))
    tokenizer.save_pretrained(folder)
    config = _build_config(conversion, tokenizer)
    config.save_pretrained(folder)
    generation = GenerationConfig(
        do_sample=False,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
    generation.save_pretrained(folder)
    _write_weights(conversion, folder / WEIGHTS, report)
    safetensors_files.read_header(folder / WEIGHTS)  # raises if the file is not whole


def _window(conversion: Conversion) -> int:
    header = conversion.header
    return header.get(f"{header.get('general.architecture', str)}.context_length", int)


def _build_config(conversion: Conversion, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    """Build the configuration of the model."""
    header, shape = conversion.header, conversion.shape
    architecture = header.get("general.architecture", str)
    config_class: Any = conversion.family.config  # each takes names of its own
    return config_class(
        vocab_size=shape.words,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        **({"head_dim": shape.head_width} if config_class is LlamaConfig else {}),
        max_position_embeddings=_window(conversion),
        rms_norm_eps=header.get(f"{architecture}.attention.layer_norm_rms_epsilon", float),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": header.get(f"{architecture}.rope.freq_base", float, 10_000.0),
        },
        tie_word_embeddings=conversion.tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        architectures=[conversion.family.model_class],
        dtype=conversion.dtype,
    )


def _write_weights(conversion: Conversion, path: Path, report: Callable[[int, int], None]) -> None:
    """Write all tensors to one safetensors file, one after another."""
    dtype, entries, at = conversion.dtype, {}, 0
    for target in conversion.targets.values():
        size = math.prod(target.shape) * dtype.itemsize
        entries[target.name] = {
            "dtype": TYPE_NAMES[dtype],
            "shape": list(target.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}} | entries).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight, as readers expect
    total = len(conversion.targets)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for number, (name, target) in enumerate(conversion.targets.items(), 1):
            report(number, total)
            tensor = read_tensor(conversion.header, name, target, dtype)
            file.write(tensor.view(torch.uint8).numpy().data.cast("B"))
        file.flush()
        os.fsync(file.fileno())


def read_tensor(header: GgufHeader, name: str, target: TargetTensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor of the file as the model has it, (rows, columns) or (n,)."""
    tensor = header.tensors[name]
    numbers = torch.cat(list(_read_chunks(header, tensor, dtype))).reshape(target.shape)
    if not bool(torch.isfinite(numbers).all()):
        raise BadInput(f"{header.path.name}: tensor {name} has numbers that are not finite")
    if target.interleaved_heads:
        numbers = separate_halves(numbers, target.interleaved_heads)
    return numbers.contiguous()


def _read_chunks(header: GgufHeader, tensor: GgufTensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """Yield a tensor in pieces (rows, columns), so that little is unpacked at once."""
    step = max(1, CHUNK_NUMBERS // tensor.shape[-1])
    for first in range(0, tensor.rows, step):
        rows = gguf_file.read_rows(header, tensor, first, min(first + step, tensor.rows))
        yield torch.tensor(rows).to(dtype)  # a copy: what was read may not be written to


def separate_halves(matrix: Tensor, heads: int) -> Tensor:
    """Undo the interleaving of rotary dimensions of a matrix (rows, columns).

    In the file dimension i of the first half is followed by dimension i of the second.
    """
    half = matrix.shape[0] // heads // 2
    pairs = matrix.reshape(heads, half, 2, *matrix.shape[1:])
    return pairs.swapaxes(1, 2).reshape(matrix.shape)
