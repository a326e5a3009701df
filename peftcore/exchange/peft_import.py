"""Read files of the `peft` package (its release 0.21) as one of our methods.

The inverse of `peft_export`: only what one of our methods computes in exactly the same way is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from peftcore.errors import BadInput
from peftcore.exchange import lora_start
from peftcore.exchange.module_patterns import product_scale
from peftcore.exchange.peft_export import (
    TASK_TYPES,
    check_prefix_expressible,
    key_rotation,
    output_width,
)
from peftcore.methods.lora import LoRA

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.models.base_model import BaseModel
    from peftcore.models.structure import TargetSlice


PEFT_RELEASE = "0.21"


@dataclass(frozen=True)
class ImportedAdapter:
    """One of our methods with its settings, and tensors without seed and vertex axes."""

    method: str
    settings: dict[str, Any]
    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()  # what whoever imports it should know


def read(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> ImportedAdapter:
    """Convert the package's configuration and tensors, such as down (r, i), to our method.

    BadInput if we have no equal method.
    """
    readers = {"LORA": _read_lora, "PROMPT_TUNING": _read_prompt, "PREFIX_TUNING": _read_prefix}
    kind = str(config.get("peft_type"))[:40]
    if kind not in readers:
        raise BadInput(f"adapters of type {kind} cannot be imported; {', '.join(readers)} can")
    task_type = config.get("task_type")
    usual = TASK_TYPES[base.kind]
    if task_type not in (None, usual):
        raise BadInput(
            f"the adapter is for {str(task_type)[:40]}; {base.name} is of kind {base.kind}, {usual}"
        )
    return readers[kind](config, tensors, base)


def _single_tensor(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the only tensor of the file, in float32; BadInput if there are others."""
    if set(tensors) != {name}:
        listed_names = ", ".join(repr(t[:60]) for t in sorted(tensors)[:3]) or "nothing"
        raise BadInput(f"the adapter should hold just {name!r}; it holds {listed_names}")
    return tensors[name].float()


def _prompt_length(config: Mapping[str, Any]) -> int:
    """Return the number of virtual tokens; BadInput if it is no usable number."""
    length = config.get("num_virtual_tokens")
    if type(length) is not int or not 1 <= length <= 200:
        raise BadInput(f"num_virtual_tokens must lie in [1, 200]; got {str(length)[:40]}")
    return length


def _read_prompt(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> ImportedAdapter:
    """Read a soft prompt (p, d)."""
    if base.kind == "encoder":
        raise BadInput(
            "a prompt of the peft package stands before an encoder's first token, ours behind it"
        )
    table, length = _single_tensor(tensors, "prompt_embeddings"), _prompt_length(config)
    # For two stacks the package stores a second prompt that it never uses.
    rows, width = (length, 2 * length), base.embeddings.shape[1]
    if table.dim() != 2 or len(table) not in rows or table.shape[1] != width:
        raise BadInput(
            f"the prompt has shape {tuple(table.shape)}; {base.name} needs ({length}, {width})"
        )
    return ImportedAdapter(
        "prompt_tuning", {"length": length}, {"tokens": table[:length] / base.embedding_factor}
    )


def _read_prefix(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> ImportedAdapter:
    """Read a prefix: keys and values (h, p, e) of every block."""
    check_prefix_expressible(base, "imported")
    if base.structure.architecture.absolute_positions:
        raise BadInput(
            f"a prefix for {base.name} cannot be imported: it has learned positions, and in the "
            "peft package the content stood behind those of the prefix"
        )
    table, length, structure = (
        _single_tensor(tensors, "prompt_embeddings"),
        _prompt_length(config),
        base.structure,
    )
    wanted = (
        length,
        2 * len(structure.attention_blocks) * structure.kv_heads * structure.head_width,
    )
    if tuple(table.shape) != wanted:
        raise BadInput(f"the prefix has shape {tuple(table.shape)}; {base.name} needs {wanted}")
    rows = table.view(
        length, 2 * len(structure.attention_blocks), structure.kv_heads, structure.head_width
    ).permute(1, 2, 0, 3)
    rotate_back, imported_tensors = key_rotation(base, -length), {}
    for number, site in enumerate(structure.attention_blocks):
        imported_tensors[f"key:{site.path}"] = rotate_back(rows[2 * number][None])[0]
        imported_tensors[f"value:{site.path}"] = rows[2 * number + 1]
    return ImportedAdapter(
        "prefix_tuning", {"length": length, "places": ["decoder"]}, imported_tensors
    )


IGNORED_CONFIG_KEYS = {  # what describes the file, or only matters while training
    *("peft_type", "task_type", "base_model_name_or_path", "inference_mode", "revision"),
    *("auto_mapping", "peft_version", "lora_dropout", "init_lora_weights", "target_modules"),
    *("exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "bias"),
    *("loftq_config", "eva_config", "corda_config", "ensure_weight_tying", "megatron_core"),
    *("runtime_config", "qalora_group_size", "lora_ga_config"),
}
UNSUPPORTED_CONFIG_KEYS = {  # other settings of the release; what is set changes the product
    *("use_dora", "use_qalora", "use_bdlora", "lora_bias", "modules_to_save", "layer_replication"),
    *("trainable_token_indices", "target_parameters", "megatron_config", "arrow_config"),
    *("alora_invocation_tokens", "kasa_config", "monteclora_config", "velora_config"),
}


def _read_lora(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> ImportedAdapter:
    """Read LoRA on matrices of known components; lower ranks are filled up with zeros."""
    unsupported = sorted(name for name in UNSUPPORTED_CONFIG_KEYS if config.get(name))
    if unsupported or config.get("bias", "none") != "none":
        raise BadInput(
            f"the adapter uses {', '.join(unsupported) or 'biases'}, which our LoRA does not have"
        )
    pairs = {
        path: (down, up * product_scale(config, path, down.shape[1]))
        for path, (down, up) in _matrix_pairs(tensors, base).items()
    }
    pairs, start_notes = lora_start.on_unchanged_base(config, pairs, base)
    rank = max(down.shape[1] for down, _ in pairs.values())
    if rank > 256:
        raise BadInput(f"rank must lie in [1, 256]; got {rank}")
    parts = _needed_targets(pairs, base)
    imported_tensors: dict[str, Tensor] = {}
    for part in parts:
        key = f"{part.component}:{part.path}"
        down = base.embeddings.new_zeros(part.inputs, rank)
        up = base.embeddings.new_zeros(rank, part.outputs)
        if part.path in pairs:
            first, second = pairs[part.path]
            own = first.shape[1]
            down[:, :own] = first
            up[:own] = part.columns.take(second)
        imported_tensors |= {f"down:{key}": down, f"up:{key}": up}
    settings = {
        "rank": rank,
        "alpha": rank,  # every scale is in the numbers already
        "components": list(dict.fromkeys(part.component for part in parts)),
        "stacks": sorted({part.stack for part in parts}),
    }
    notes = (*_unknown_key_notes(config), *start_notes)
    return ImportedAdapter("lora", settings, imported_tensors, notes)


def _unknown_key_notes(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Note settings of a later release, which the package at 0.21 ignores with a warning too."""
    known = IGNORED_CONFIG_KEYS | UNSUPPORTED_CONFIG_KEYS
    unknown = {name: value for name, value in sorted(config.items()) if name not in known and value}
    if not unknown:
        return ()
    named = ", ".join(f"{n[:40]} ({str(value)[:40]})" for n, value in list(unknown.items())[:10])
    return (
        f"ignored, as the peft package {PEFT_RELEASE} ignores them: settings of another release "
        f"that are not known here: {named}; where one of them changes the product, answers differ",
    )


def _matrix_pairs(
    tensors: Mapping[str, Tensor], base: BaseModel
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return path → down (i, r) and up (r, o), checked against the matrix they belong to."""
    matrices: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])(\.default)?\.weight", name)
        if not match or tensor.dim() != 2:
            raise BadInput(f"tensor {name[:80]!r} does not belong to a LoRA adapter")
        matrices.setdefault(match[1], {})[match[2]] = tensor.float().mT
    if not matrices:
        raise BadInput("the adapter holds no tensors")
    targets = {part.path: part for parts in base.structure.target_slices.values() for part in parts}
    checked_pairs = {}
    for path, pair in matrices.items():
        if path not in targets:
            raise BadInput(
                f"the adapter changes {path[:80]!r}, which {base.name} does not have "
                "among the parts that LoRA can change here"
            )
        if set(pair) != {"A", "B"}:
            raise BadInput(f"the product for {path[:80]!r} lacks one of its two matrices")
        down, up = pair["A"], pair["B"]
        wanted = (targets[path].inputs, output_width(base, path))
        if (down.shape[0], up.shape[1]) != wanted or down.shape[1] != up.shape[0]:
            raise BadInput(
                f"the product for {path[:80]!r} goes from {down.shape[0]} to {up.shape[1]} numbers "
                f"by rank {down.shape[1]} and {up.shape[0]}; {base.name} needs {wanted[0]} to "
                f"{wanted[1]}"
            )
        checked_pairs[path] = (down, up)
    return checked_pairs


def _needed_targets(pairs: Mapping[str, Any], base: BaseModel) -> list[TargetSlice]:
    """Return the target slices with which our LoRA reaches all these paths, each once."""
    components = get_args(get_args(LoRA.Config.model_fields["components"].annotation)[0])
    covered: set[tuple[str, int]] = set()
    names, stacks = [], set()
    for name in components:
        hits = [p for p in base.structure.target_slices.get(name, ()) if p.path in pairs]
        if hits and not covered >= {(p.path, p.start) for p in hits}:
            covered |= {(p.path, p.start) for p in hits}
            names.append(name)
            stacks |= {p.stack for p in hits}
    left = sorted(set(pairs) - {path for path, _ in covered})
    if left:
        raise BadInput(f"the adapter changes {left[0][:80]!r}, which our LoRA does not reach")
    both = base.kind == "encoder-decoder"
    return [
        p for n in names for p in base.structure.target_slices[n] if p.stack in stacks or not both
    ]
