"""Our tensors as the `peft` package writes them, and back (its release 0.21).

Only what that package computes in exactly the same way is written; everything else is refused with
the reason.  Two things need care.  It counts the positions of the content after a prefix, we do
not: on rotary bases the keys are turned by the prefix length to make up for it, on bases with
learned positions whoever calls the model has to, and on T5 nothing can, since its bias by distance
would act on the prefix too.  And GPT-2 keeps query, key and value in one matrix, where several of
our products become one of a higher rank.  Files and folders are `exchange`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from peftcore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapter import Adapted
    from peftcore.anatomy import Part
    from peftcore.base import BaseModel
    from peftcore.methods.base import Adapter
    from peftcore.mix import Mix

TASK_TYPES = {
    "encoder": "FEATURE_EXTRACTION",
    "decoder": "CAUSAL_LM",
    "encoder-decoder": "SEQ_2_SEQ_LM",
}
OWN = "Our own format has it: take the run's folder, or a bundle of it."
INNER = "base_model.model."
Product = tuple["Part", "Tensor", "Tensor"]  # down (i, r) and up (r, o), added to a part's output


@dataclass(frozen=True)
class PeftFiles:
    """The package's configuration and tensors, and what a caller has to know."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Learnt:
    """A method of ours with its settings, and its tensors without seed and vertex axes."""

    method: str
    settings: dict[str, Any]
    tensors: dict[str, Tensor]


def written(adapted: Adapted, seed_index: int, moved_positions: bool = False) -> PeftFiles:
    """The centroid of one seed's simplex in the package's format; BadInput if it has no form there.

    moved_positions: the caller promises to count positions from minus the prefix length, which is
    what it takes on bases with learned positions.
    """
    from peftcore.methods.base import Adapter

    adapter, mix = adapted.adapter, centroid(adapted, seed_index)
    found = products(adapted, mix)
    if found:
        made = _lora(adapted.base, *found)
    elif adapter.name == "ia3":
        made = _ia3(adapted.base, mix)
    elif type(adapter).soft_tokens is not Adapter.soft_tokens:
        made = _prompt(adapted, mix)
    elif type(adapter).prefix is not Adapter.prefix:
        made = _prefix(adapted, mix, moved_positions)
    else:
        raise BadInput(
            f"the peft package has no form for {adapter.title} as it is here{_why(adapter)}. {OWN}"
        )
    shared = {
        "task_type": TASK_TYPES[adapted.base.kind],
        "base_model_name_or_path": adapted.base.name,
        "inference_mode": True,
    }
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in made.tensors.items()}
    return PeftFiles(made.config | shared, tensors, made.notes)


def _why(adapter: Adapter) -> str:
    """What the package lacks, where that is known."""
    from peftcore.weights import ChosenWeights

    if isinstance(adapter, ChosenWeights):
        return ": it changes the base's own weights, which a merged model can hold"
    return ": coefficients are cut off at a threshold" if adapter.name == "atoms" else ""


def centroid(adapted: Adapted, seed_index: int) -> Mix:
    """What one seed learnt, at the middle of its simplex, as a mix for a single row."""
    import torch

    from peftcore.mix import Mix

    held = {name: t[seed_index : seed_index + 1].detach() for name, t in adapted.tensors.items()}
    effective = adapted.adapter.effective(held)
    plain = {name: t.mean(1, keepdim=True) for name, t in effective.items()}
    return Mix(plain, torch.ones(1, 1, 1))


def _prompt(adapted: Adapted, mix: Mix) -> PeftFiles:
    """Soft tokens in front of the input; scales and the like are folded into them."""
    base = adapted.base
    if base.kind == "encoder":
        raise BadInput(
            "the peft package puts soft tokens before an encoder's first token, and this adapter "
            f"learnt behind it, because the head reads the first token. {OWN}"
        )
    found = adapted.adapter.soft_tokens(mix, 1)
    assert found is not None, "a method that has soft tokens gives some"
    config = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": found.shape[1],
        "token_dim": found.shape[2],
        "num_transformer_submodules": 1,  # the encoder's side; nothing is put before the decoder
        "num_attention_heads": base.anatomy.heads,
        "num_layers": base.anatomy.layers,
        "prompt_tuning_init": "RANDOM",
    }
    return PeftFiles(config, {"prompt_embeddings": found[0]})


def _prefix(adapted: Adapted, mix: Mix, moved_positions: bool) -> PeftFiles:
    """Keys and values in front of every block of a decoder, as one table (p, layers 2 h e)."""
    import torch

    base, notes = adapted.base, []
    _prefix_form(base, "exported")
    pairs = [adapted.adapter.prefix(site.path, mix, 1) for site in base.anatomy.sites]
    kept = [pair for pair in pairs if pair is not None]
    if len(kept) < len(pairs):
        raise BadInput(f"the peft package puts a prefix before every layer or none. {OWN}")
    length = kept[0][0].shape[2]
    if base.anatomy.family.absolute_positions:
        if not moved_positions:
            raise BadInput(
                f"{base.name} has learned positions, and the peft package counts the content's "
                f"after the {length} of the prefix, where this adapter never saw it. If whoever "
                f"calls the model passes position_ids that begin at {-length}, all is equal: "
                f"export with moved positions to say so. {OWN}"
            )
        notes.append(
            f"Call the model with position_ids that begin at {-length}: the package adds {length}."
        )
    turn = _turn(base, length)
    rows = [t[0] for key, value in kept for t in (turn(key), value)]  # layers 2 of (h, p, e)
    table = torch.stack(rows).permute(2, 0, 1, 3).flatten(1)  # (p, layers 2 h e)
    config = {
        "peft_type": "PREFIX_TUNING",
        "num_virtual_tokens": length,
        "token_dim": base.anatomy.kv_heads * base.anatomy.head_width,
        "num_transformer_submodules": 1,
        "num_attention_heads": base.anatomy.kv_heads,
        "num_layers": base.anatomy.layers,
        "encoder_hidden_size": base.anatomy.kv_heads * base.anatomy.head_width,
        "prefix_projection": False,
    }
    return PeftFiles(config, {"prompt_embeddings": table}, notes)


def _prefix_form(base: BaseModel, done: str) -> None:
    """BadInput where the package's prefix is another function than ours."""
    if base.kind == "encoder-decoder":
        raise BadInput(
            f"a prefix for {base.name} cannot be {done}: the peft package knows none for the "
            "encoder and none for the decoder's look at the input, and before the decoder its "
            f"prefix is weighed down by the base's bias for distant positions, ours is not. {OWN}"
        )
    if base.kind == "encoder":
        raise BadInput(
            f"a prefix for {base.name} cannot be {done}: the peft package moves the positions of "
            f"an encoder's content behind the prefix. {OWN}"
        )


def _turn(base: BaseModel, positions: int) -> Callable[[Tensor], Tensor]:
    """What makes keys (n, h, p, e) look the same to queries that stand so much further right.

    Rotary positions turn pairs of features of queries and keys alike, and only the difference of
    two positions counts.  Bases without rotary positions need nothing.
    """
    import torch

    rotary = next((m for _, m in base.model.named_modules() if hasattr(m, "inv_freq")), None)
    if rotary is None:
        return lambda keys: keys
    if getattr(rotary, "rope_type", "default") in ("dynamic", "longrope"):
        raise BadInput(
            f"{base.name} counts positions by the length of the text; no prefix of the peft "
            f"package equals ours there. {OWN}"
        )
    angle = rotary.inv_freq.float() * positions
    angle = torch.cat([angle, angle])

    def turned(keys: Tensor) -> Tensor:
        left, right = keys.chunk(2, -1)
        return keys * angle.cos() + torch.cat([-right, left], -1) * angle.sin()

    return turned


def products(adapted: Adapted, mix: Mix) -> tuple[list[Product], float] | None:
    """What is added to matrices as products, and times what; None if it is anything else.

    Sparse atoms whose thresholds are zero are LoRA of that many atoms.
    """
    adapter, config = adapted.adapter, adapted.adapter.config
    if adapter.name == "lora":
        kinds, scale = ("down", "up"), config.alpha / config.rank
    elif adapter.name == "atoms" and _without_threshold(adapted, mix):
        kinds, scale = ("encode", "atoms"), 1.0
    else:
        return None
    parts = {
        f"{part.component}:{part.path}": part
        for parts in adapted.base.anatomy.parts.values()
        for part in parts
    }
    keys = [name.partition(":")[2] for name in mix.tensors if name.startswith(f"{kinds[0]}:")]
    first, second = kinds
    return [(parts[k], mix(f"{first}:{k}", 1)[0], mix(f"{second}:{k}", 1)[0]) for k in keys], scale


def _without_threshold(adapted: Adapted, mix: Mix) -> bool:
    """Whether no coefficient of these atoms is ever cut off or competed for."""
    config = adapted.adapter.config
    learned = [t for name, t in mix.tensors.items() if name.startswith("threshold:")]
    none = all(bool((t == 0).all()) for t in learned) if learned else config.threshold == 0
    return none and config.rounds == 1 and not 0 < config.top_k < config.atoms


def _lora(base: BaseModel, found: list[Product], scale: float) -> PeftFiles:
    """Products as LoRA; several on one matrix become one of the sum of their ranks."""
    import torch
    from torch.nn.functional import pad

    by_path: dict[str, list[Product]] = {}
    for product in found:
        by_path.setdefault(product[0].path, []).append(product)
    tensors, ranks = {}, {}
    for path, shares in by_path.items():
        width = _outputs(base, path)
        placed = [pad(up, (part.start, width - part.stop)) for part, _, up in shares]
        tensors[f"{INNER}{path}.lora_A.weight"] = torch.cat([down for _, down, _ in shares], 1).mT
        tensors[f"{INNER}{path}.lora_B.weight"] = torch.cat(placed).mT
        ranks[path] = sum(down.shape[1] for _, down, _ in shares)
    usual = min(ranks.values())
    config = {
        "peft_type": "LORA",
        "r": usual,
        "lora_alpha": scale * usual,
        "rank_pattern": {path: rank for path, rank in ranks.items() if rank != usual},
        "alpha_pattern": {path: scale * rank for path, rank in ranks.items() if rank != usual},
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": any(_transposed(base, path) for path in ranks),
    }
    return PeftFiles(config, tensors)


def _ia3(base: BaseModel, mix: Mix) -> PeftFiles:
    """Scales of outputs as they are; an inner activation's go to the matrix that reads it."""
    import torch

    from peftcore.parts import feed_forwards

    found = {name: mix(name, 1)[0, 0] for name in mix.tensors if name.startswith("scale:")}
    tensors, inner = dict[str, torch.Tensor](), list[str]()
    for name, scale in found.items():
        _, component, path = name.split(":")
        if component == "ffn.activation":
            parent = path.rpartition(".")[0]
            blocks = feed_forwards(base)
            path = next(b[-1].path for b in blocks if b[0].path.startswith(f"{parent}."))
            inner.append(path)
            tensors[f"{INNER}{path}.ia3_l"] = scale[None]
            continue
        part = next(p for p in base.anatomy.parts[component] if p.path == path)
        key = f"{INNER}{path}.ia3_l"
        column = tensors.setdefault(key, scale.new_ones(_outputs(base, path), 1))
        column[part.start : part.stop, 0] = scale
    paths = [key.removeprefix(INNER).removesuffix(".ia3_l") for key in tensors]
    config = {
        "peft_type": "IA3",
        "target_modules": sorted(paths),
        "feedforward_modules": sorted(inner),
        "fan_in_fan_out": any(_transposed(base, path) for path in paths),
    }
    return PeftFiles(config, tensors)


def _transposed(base: BaseModel, path: str) -> bool:
    """Whether a leaf stores its matrix (inputs, outputs), as GPT-2's do."""
    return type(base.model.get_submodule(path)).__name__ == "Conv1D"


def _outputs(base: BaseModel, path: str) -> int:
    shape = base.model.get_submodule(path).weight.shape
    return int(shape[1] if _transposed(base, path) else shape[0])


def read(config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel) -> Learnt:
    """What the package's files hold, in our terms; BadInput if we have no equal method."""
    readers = {"LORA": _read_lora, "PROMPT_TUNING": _read_prompt, "PREFIX_TUNING": _read_prefix}
    kind = str(config.get("peft_type"))[:40]
    if kind not in readers:
        raise BadInput(f"adapters of type {kind} cannot be imported; {', '.join(readers)} can")
    asked = config.get("task_type")
    usual = TASK_TYPES[base.kind]
    if asked not in (None, usual):
        raise BadInput(
            f"the adapter is for {str(asked)[:40]}; {base.name} is of kind {base.kind}, {usual}"
        )
    return readers[kind](config, tensors, base)


def _only(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if set(tensors) != {name}:
        found = ", ".join(repr(t[:60]) for t in sorted(tensors)[:3]) or "nothing"
        raise BadInput(f"the adapter should hold just {name!r}; it holds {found}")
    return tensors[name].float()


def _length(config: Mapping[str, Any]) -> int:
    length = config.get("num_virtual_tokens")
    if type(length) is not int or not 1 <= length <= 200:
        raise BadInput(f"num_virtual_tokens must lie in [1, 200]; got {str(length)[:40]}")
    return length


def _read_prompt(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> Learnt:
    if base.kind == "encoder":
        raise BadInput(
            "a prompt of the peft package stands before an encoder's first token, ours behind it"
        )
    table, length = _only(tensors, "prompt_embeddings"), _length(config)
    # For two stacks the package stores a second prompt that it never uses.
    rows, width = (length, 2 * length), base.anatomy.width
    if table.dim() != 2 or len(table) not in rows or table.shape[1] != width:
        raise BadInput(
            f"the prompt has shape {tuple(table.shape)}; {base.name} needs ({length}, {width})"
        )
    return Learnt("prompt_tuning", {"length": length}, {"tokens": table[:length]})


def _read_prefix(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel
) -> Learnt:
    _prefix_form(base, "imported")
    if base.anatomy.family.absolute_positions:
        raise BadInput(
            f"a prefix for {base.name} cannot be imported: it has learned positions, and in the "
            "peft package the content stood behind those of the prefix"
        )
    table, length, a = _only(tensors, "prompt_embeddings"), _length(config), base.anatomy
    wanted = (length, 2 * len(a.sites) * a.kv_heads * a.head_width)
    if tuple(table.shape) != wanted:
        raise BadInput(f"the prefix has shape {tuple(table.shape)}; {base.name} needs {wanted}")
    rows = table.view(length, 2 * len(a.sites), a.kv_heads, a.head_width).permute(1, 2, 0, 3)
    back, made = _turn(base, -length), {}
    for number, site in enumerate(a.sites):
        made[f"key:{site.path}"] = back(rows[2 * number][None])[0]
        made[f"value:{site.path}"] = rows[2 * number + 1]
    return Learnt("prefix_tuning", {"length": length, "places": ["decoder"]}, made)


HARMLESS = {  # what describes the file, or only matters while training
    *("peft_type", "task_type", "base_model_name_or_path", "inference_mode", "revision"),
    *("auto_mapping", "peft_version", "lora_dropout", "init_lora_weights", "target_modules"),
    *("exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "bias"),
    *("loftq_config", "eva_config", "corda_config", "ensure_weight_tying", "megatron_core"),
    *("runtime_config", "qalora_group_size", "lora_ga_config"),
}


def _read_lora(config: Mapping[str, Any], tensors: Mapping[str, Tensor], base: BaseModel) -> Learnt:
    """LoRA on matrices of known components; other ranks are filled up with zeros."""
    strange = sorted(name for name, value in config.items() if value and name not in HARMLESS)
    if strange or config.get("bias", "none") != "none":
        raise BadInput(
            f"the adapter uses {', '.join(s[:40] for s in strange) or 'biases'}, which our LoRA "
            "does not have"
        )
    pairs = _pairs(tensors, base)
    rank = max(down.shape[1] for down, _ in pairs.values())
    if rank > 256:
        raise BadInput(f"rank must lie in [1, 256]; got {rank}")
    parts = _parts(pairs, base)
    made: dict[str, Tensor] = {}
    for part in parts:
        key = f"{part.component}:{part.path}"
        down = base.embeddings.new_zeros(part.inputs, rank)
        up = base.embeddings.new_zeros(rank, part.stop - part.start)
        if part.path in pairs:
            first, second = pairs[part.path]
            own = first.shape[1]
            down[:, :own] = first
            up[:own] = second[:, part.start : part.stop] * _scale(config, part.path, own)
        made |= {f"down:{key}": down, f"up:{key}": up}
    settings = {
        "rank": rank,
        "alpha": rank,  # every scale is in the numbers already
        "components": list(dict.fromkeys(part.component for part in parts)),
        "stacks": sorted({part.stack for part in parts}),
    }
    return Learnt("lora", settings, made)


def _pairs(tensors: Mapping[str, Tensor], base: BaseModel) -> dict[str, tuple[Tensor, Tensor]]:
    """Path → down (i, r) and up (r, o), checked against the matrix they belong to."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])(\.default)?\.weight", name)
        if not match or tensor.dim() != 2:
            raise BadInput(f"tensor {name[:80]!r} does not belong to a LoRA adapter")
        found.setdefault(match[1], {})[match[2]] = tensor.float().mT
    if not found:
        raise BadInput("the adapter holds no tensors")
    leaves = {part.path: part for parts in base.anatomy.parts.values() for part in parts}
    made = {}
    for path, pair in found.items():
        if path not in leaves:
            raise BadInput(
                f"the adapter changes {path[:80]!r}, which {base.name} does not have "
                "among the parts that LoRA can change here"
            )
        if set(pair) != {"A", "B"}:
            raise BadInput(f"the product for {path[:80]!r} lacks one of its two matrices")
        down, up = pair["A"], pair["B"]
        wanted = (leaves[path].inputs, _outputs(base, path))
        if (down.shape[0], up.shape[1]) != wanted or down.shape[1] != up.shape[0]:
            raise BadInput(
                f"the product for {path[:80]!r} goes from {down.shape[0]} to {up.shape[1]} numbers "
                f"by rank {down.shape[1]} and {up.shape[0]}; {base.name} needs {wanted[0]} to "
                f"{wanted[1]}"
            )
        made[path] = (down, up)
    return made


def _parts(pairs: Mapping[str, Any], base: BaseModel) -> list[Part]:
    """The parts our LoRA has to have so that it reaches all these paths, each column once."""
    from peftcore.methods.lora import LoRA

    components = get_args(get_args(LoRA.Config.model_fields["components"].annotation)[0])
    taken: set[tuple[str, int]] = set()
    names, stacks = [], set()
    for name in components:
        hits = [p for p in base.anatomy.parts.get(name, ()) if p.path in pairs]
        if hits and not taken >= {(p.path, p.start) for p in hits}:
            taken |= {(p.path, p.start) for p in hits}
            names.append(name)
            stacks |= {p.stack for p in hits}
    left = sorted(set(pairs) - {path for path, _ in taken})
    if left:
        raise BadInput(f"the adapter changes {left[0][:80]!r}, which our LoRA does not reach")
    both = base.kind == "encoder-decoder"
    return [p for n in names for p in base.anatomy.parts[n] if p.stack in stacks or not both]


def _scale(config: Mapping[str, Any], path: str, rank: int) -> float:
    """What the package multiplies a product by."""
    alpha = config.get("lora_alpha", 8)
    patterns = config.get("alpha_pattern") or {}
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        # Compared as text: a stranger's expression could take for ever.
        if not re.fullmatch(r"[\w.]+", pattern):
            raise BadInput(f"alpha_pattern must name modules in full; got {pattern[:60]!r}")
        if path == pattern or path.endswith(f".{pattern}"):
            alpha = value
            break
    if not isinstance(alpha, (int, float)) or not 0 < alpha < 1e6:
        raise BadInput(f"lora_alpha must be a positive number; got {str(alpha)[:40]}")
    return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)
