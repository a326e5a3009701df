"""Published bases by their configurations, to count parameters before anything is loaded.

The models are built on the meta device: every shape is true and nothing is allocated. The
configurations are those the papers' tables rest on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from peftcore.adapters.base import METHODS
from peftcore.adapters.trained_parts import planned_parts
from peftcore.errors import BadInput, unknown_name
from peftcore.models import catalog
from peftcore.models.architectures import find_architecture
from peftcore.models.structure import analyze

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


def _t5(width: int, inner: int, heads: int, head: int, layers: int, **more: Any) -> dict[str, Any]:
    """Return a T5 configuration of these sizes."""
    return {
        "model_type": "t5",
        "vocab_size": 32128,
        "d_model": width,
        "d_ff": inner,
        "num_heads": heads,
        "d_kv": head,
        "num_layers": layers,
    } | more


MODEL_CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "t5-small": _t5(512, 2048, 8, 64, 6),
    "t5-base": _t5(768, 3072, 12, 64, 12),
    "t5-large": _t5(1024, 4096, 16, 64, 24),
    "t5-3b": _t5(1024, 16384, 32, 128, 24),
    "flan-t5-large": _t5(1024, 2816, 16, 64, 24, feed_forward_proj="gated-gelu"),
    "bert-base-cased": {
        "model_type": "bert",
        "vocab_size": 28996,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
    },
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 50257,
        "n_positions": 1024,
        "n_embd": 768,
        "n_layer": 12,
        "n_head": 12,
    },
    "llama-2-7b": {
        "model_type": "llama",
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 4096,
    },
    "qwen2.5-7b": {
        "model_type": "qwen2",
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        "tie_word_embeddings": False,
    },
}
UNTIED_HEADS = frozenset({"flan-t5-large"})  # published with a head of its own
NOTES = {
    "flan-t5-large": "The published checkpoint has a head of its own, which is counted here; "
    "transformers from version 5 on ties it to the words and counts 32,899,072 fewer.",
    "bert-base-cased": "The total has the published checkpoint's pooler, which no method trains.",
}

KQV = ("attention.query", "attention.key", "attention.value")
# The configurations of SparseFit's paper.
SPARSEFIT_PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Full": {"components": ("all",)},
    "Encoder (stack only)": {"components": ("all",), "stacks": ("encoder",)},
    "Decoder (stack only)": {"components": ("all",), "stacks": ("decoder",)},
    "LM head": {"components": ("head",)},
    "LayerNorm": {"components": ("layernorm",)},
    "Self-attention KQV": {"components": KQV},
    "Self-attention Query": {"components": ("attention.query",)},
    "Self-attention Key": {"components": ("attention.key",)},
    "Self-attention Value": {"components": ("attention.value",)},
    "Self-attention whole": {"components": ("attention",)},
    "LayerNorm + Query": {"components": ("layernorm", "attention.query")},
    "LayerNorm + KQV": {"components": ("layernorm", *KQV)},
    "LM head + LayerNorm": {"components": ("head", "layernorm")},
    "LM head + Query": {"components": ("head", "attention.query")},
    "LM head + LayerNorm + Query": {"components": ("head", "layernorm", "attention.query")},
    "LM head + KQV": {"components": ("head", *KQV)},
    "Feed-forward": {"components": ("ffn",)},
    "Cross-attention": {"components": ("cross",)},
}
TABLE_BASES = ("t5-small", "t5-base", "t5-large", "t5-3b")
EXTRA_ROWS = {"llama-2-7b": "LayerNorm + Query", "flan-t5-large": "Self-attention Query"}


@dataclass(frozen=True)
class ParameterCount:
    """The number of parameters that one configuration of a method trains in one base."""

    base: str
    configuration: str
    trainable: int
    total: int
    percent: float


def published_bases() -> list[str]:
    """List the bases whose configurations are known."""
    return list(MODEL_CONFIGS)


@lru_cache(maxsize=len(MODEL_CONFIGS))
def meta_base(name: str) -> BaseModel:
    """Build the base of this name without weights and tokenizer, for counting only."""
    import torch

    with torch.device("meta"):
        model = _untrained_model(name)
        if name in UNTIED_HEADS:
            model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    return _for_counting(name, model)


def local_meta_base(name: str) -> BaseModel:
    """Build a base of this machine from its configuration alone, for counting only."""
    import torch
    from transformers import AutoConfig

    from peftcore.models.base_model import AUTO_CLASSES

    folder = catalog.base_folders().get(name)
    if folder is None:
        raise unknown_name("base", name, catalog.base_names())
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    kind = find_architecture(config.model_type).kind
    extra = {"add_pooling_layer": False} if kind == "encoder" else {}
    with torch.device("meta"):
        model = AUTO_CLASSES[kind].from_config(config, **extra)
    return _for_counting(name, model)


def _for_counting(name: str, model: Any) -> BaseModel:
    """Make a base model of shapes."""
    from peftcore.models.base_model import BaseModel

    model.requires_grad_(False)
    return BaseModel(name, model, cast(Any, None), analyze(model), fingerprint="")


def count_by_method(base: BaseModel) -> dict[str, int | None]:
    """Count what each method's defaults train in a base; None where the method does not suit it."""
    counts: dict[str, int | None] = {}
    for name in METHODS:
        try:
            counts[name] = count_trainable(base, name)
        except BadInput:
            counts[name] = None
    return counts


def stand_in(name: str) -> str:
    """Return the embedded base of the same kind as a published one, for planning."""
    return {"encoder-decoder": "tiny-t5", "decoder": "tiny-gpt", "encoder": "tiny-bert"}[
        meta_base(name).kind
    ]


def random_base(name: str, device: str = "cpu", dtype: str = "float32") -> BaseModel:
    """Build a base of this shape with random weights and the tokenizer of `tiny-t5`.

    It has learned nothing, so it serves for timing only. The weights are made where and as they
    stay, so that the shape of a large model needs no memory beside its own.

    device: cpu or cuda.  dtype: of the weights, a name of torch.
    """
    import torch

    from peftcore.models.base_model import freeze, load

    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            model = _untrained_model(name)
    finally:
        torch.set_default_dtype(usual)
    tokenizer = load("tiny-t5").tokenizer
    if model.config.is_encoder_decoder:
        model.config.decoder_start_token_id = tokenizer.pad_token_id
    # Random weights have no copy elsewhere that a hash could tell them from.
    return freeze(name, model, tokenizer, known_fingerprint=f"random-{name}")


def _untrained_model(name: str) -> Any:
    """Build the transformers model of a published configuration."""
    from transformers import AutoConfig

    from peftcore.models.base_model import AUTO_CLASSES

    if name not in MODEL_CONFIGS:
        raise unknown_name("published base", name, MODEL_CONFIGS)
    values = dict(MODEL_CONFIGS[name])
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    return AUTO_CLASSES[find_architecture(config.model_type).kind].from_config(config)


def count_trainable(
    base: BaseModel, method: str, settings: Mapping[str, Any] | None = None, vertices: int = 1
) -> int:
    """Count the numbers one seed of a method trains in a base, without a classification head."""
    return sum(part.count for part in planned_parts(base, method, settings, vertices))


def parameter_table(method: str) -> list[ParameterCount]:
    """Count SparseFit's published configurations on their bases; else defaults on all."""
    if method == "sparsefit":
        cells = [
            (base, name, SPARSEFIT_PRESETS[name])
            for base in TABLE_BASES
            for name in SPARSEFIT_PRESETS
        ]
        cells += [(base, name, SPARSEFIT_PRESETS[name]) for base, name in EXTRA_ROWS.items()]
        return [_count_row(base, name, method, settings) for base, name, settings in cells]
    return list(_default_rows(method))


def _default_rows(method: str) -> Iterator[ParameterCount]:
    """Yield the count of the method's defaults on every published base it suits."""
    METHODS[method]
    for base in published_bases():
        try:
            yield _count_row(base, "defaults", method, {})
        except BadInput:  # a base that the method does not suit has no row
            continue


def _count_row(base: str, name: str, method: str, settings: Mapping[str, Any]) -> ParameterCount:
    """Count one configuration on one base."""
    model = meta_base(base)
    count, total = count_trainable(model, method, settings), model.parameter_count
    return ParameterCount(base, name, count, total, 100 * count / total)
