"""Write our tensors as the `peft` package does (its release 0.21); `peft_import` reads them.

Only what that package computes in exactly the same way is written; everything else is refused with
the reason. Two things need care. The package counts the positions of the content after a prefix, we
do not: on rotary bases the keys are rotated by the prefix length to compensate, on bases with
learned positions whoever calls the model has to, and on T5 nothing can, since its bias by distance
would act on the prefix too. And GPT-2 keeps query, key and value in one matrix, where several of
our products become one of a higher rank. Files and folders are in `folders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput
from peftcore.methods.common.weight_deltas import ChosenWeights
from peftcore.models.target_modules import ffn_slices_by_block

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.base import Adapter
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.base_model import BaseModel
    from peftcore.models.structure import TargetSlice

TASK_TYPES = {
    "encoder": "FEATURE_EXTRACTION",
    "decoder": "CAUSAL_LM",
    "encoder-decoder": "SEQ_2_SEQ_LM",
}
OWN_FORMAT_HINT = "Our own format has it: take the run's folder, or a bundle of it."
PEFT_MODULE_PREFIX = "base_model.model."
# Down (i, r) and up (r, o), whose product is added to a slice's output.
LowRankProduct = tuple["TargetSlice", "Tensor", "Tensor"]


@dataclass(frozen=True)
class PeftFiles:
    """The package's configuration and tensors, and notes for whoever uses them."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)


def to_peft_files(
    adapted: AdaptedModel, seed_index: int, moved_positions: bool = False
) -> PeftFiles:
    """Convert the centroid of one seed's simplex to the package's format.

    BadInput if it has no form there. moved_positions: the caller promises to count positions from
    minus the prefix length, which bases with learned positions need.
    """
    adapter, mix = adapted.adapter, centroid(adapted, seed_index)
    products_and_scale = low_rank_products(adapted, mix)
    if products_and_scale:
        peft_files = _lora_files(adapted.base, *products_and_scale)
    elif adapter.name == "ia3":
        peft_files = _ia3_files(adapted.base, mix)
    elif adapter.injects == "prompt":
        peft_files = _prompt_files(adapted, mix)
    elif adapter.injects == "prefix":
        peft_files = _prefix_files(adapted, mix, moved_positions)
    else:
        raise BadInput(
            f"the peft package has no form for {adapter.title} as it is "
            f"here{_reason_not_expressible(adapter)}. {OWN_FORMAT_HINT}"
        )
    shared = {
        "task_type": TASK_TYPES[adapted.base.kind],
        "base_model_name_or_path": adapted.base.name,
        "inference_mode": True,
    }
    tensors = {
        name: t.detach().cpu().contiguous().clone() for name, t in peft_files.tensors.items()
    }
    return PeftFiles(peft_files.config | shared, tensors, peft_files.notes)


def _reason_not_expressible(adapter: Adapter) -> str:
    """Return what the package lacks for this method, where that is known."""
    if isinstance(adapter, ChosenWeights):
        return ": it changes the base's own weights, which a merged model can hold"
    return ": coefficients are cut off at a threshold" if adapter.name == "atoms" else ""


def centroid(adapted: AdaptedModel, seed_index: int) -> MemberMixture:
    """Return one seed at the middle of its simplex, as a mixture for a single row."""
    import torch

    from peftcore.adapters.mixing import MemberMixture

    seed_tensors = {
        name: t[seed_index : seed_index + 1].detach() for name, t in adapted.tensors.items()
    }
    effective = adapted.adapter.effective_tensors(seed_tensors)
    means = {name: t.mean(1, keepdim=True) for name, t in effective.items()}
    return MemberMixture(means, torch.ones(1, 1, 1))


def _prompt_files(adapted: AdaptedModel, mix: MemberMixture) -> PeftFiles:
    """Convert soft tokens (1, p, d), with scales multiplied in."""
    base = adapted.base
    if base.kind == "encoder":
        raise BadInput(
            "the peft package puts soft tokens before an encoder's first token, and this adapter "
            f"learnt behind it, because the head reads the first token. {OWN_FORMAT_HINT}"
        )
    soft_tokens = adapted.adapter.soft_tokens(mix, 1)
    assert soft_tokens is not None, "a method that has soft tokens gives some"
    config = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": soft_tokens.shape[1],
        "token_dim": soft_tokens.shape[2],
        "num_transformer_submodules": 1,  # the encoder's side; nothing is put before the decoder
        "num_attention_heads": base.structure.heads,
        "num_layers": base.structure.layers,
        "prompt_tuning_init": "RANDOM",
    }
    # The package puts what it stores behind the layer that scales words as they enter.
    return PeftFiles(config, {"prompt_embeddings": soft_tokens[0] * base.embedding_factor})


def _prefix_files(adapted: AdaptedModel, mix: MemberMixture, moved_positions: bool) -> PeftFiles:
    """Convert keys and values of a decoder's blocks to one table (p, layers 2 h e)."""
    import torch

    base, notes = adapted.base, []
    check_prefix_expressible(base, "exported")
    pairs = [adapted.adapter.prefix(site.path, mix, 1) for site in base.structure.attention_blocks]
    kept = [pair for pair in pairs if pair is not None]
    if len(kept) < len(pairs):
        raise BadInput(
            f"the peft package puts a prefix before every layer or none. {OWN_FORMAT_HINT}"
        )
    length = kept[0][0].shape[2]
    if base.structure.architecture.absolute_positions:
        if not moved_positions:
            raise BadInput(
                f"{base.name} has learned positions, and the peft package counts the content's "
                f"after the {length} of the prefix, where this adapter never saw it. If whoever "
                f"calls the model passes position_ids that begin at {-length}, all is equal: "
                f"export with moved positions to say so. {OWN_FORMAT_HINT}"
            )
        notes.append(
            f"Call the model with position_ids that begin at {-length}: the package adds {length}."
        )
    if base.structure.sees_window:
        notes.append(
            f"Some layers of {base.name} look no further back than a window: there the package's "
            "prefix is out of sight once the text is longer, and this adapter's was not."
        )
    turned = key_rotation(base, length)
    rows = [t[0] for key, value in kept for t in (turned(key), value)]  # layers 2 of (h, p, e)
    table = torch.stack(rows).permute(2, 0, 1, 3).flatten(1)  # (p, layers 2 h e)
    config = {
        "peft_type": "PREFIX_TUNING",
        "num_virtual_tokens": length,
        "token_dim": base.structure.kv_heads * base.structure.head_width,
        "num_transformer_submodules": 1,
        "num_attention_heads": base.structure.kv_heads,
        "num_layers": base.structure.layers,
        "encoder_hidden_size": base.structure.kv_heads * base.structure.head_width,
        "prefix_projection": False,
    }
    return PeftFiles(config, {"prompt_embeddings": table}, notes)


def check_prefix_expressible(base: BaseModel, done: str) -> None:
    """Raise BadInput where the package's prefix is a different function from ours."""
    if base.kind == "encoder-decoder":
        raise BadInput(
            f"a prefix for {base.name} cannot be {done}: the peft package knows none for the "
            "encoder and none for the decoder's look at the input, and before the decoder its "
            "prefix is weighed down by the base's bias for distant positions, ours is not. "
            f"{OWN_FORMAT_HINT}"
        )
    if base.kind == "encoder":
        raise BadInput(
            f"a prefix for {base.name} cannot be {done}: the peft package moves the positions of "
            f"an encoder's content behind the prefix. {OWN_FORMAT_HINT}"
        )


def key_rotation(base: BaseModel, positions: int) -> Callable[[Tensor], Tensor]:
    """Return a function that rotates keys (n, h, p, e) for queries so many positions later.

    The result looks to those queries as the keys did before. Rotary positions rotate pairs of
    features of queries and keys alike, and only the difference of two positions counts. Bases
    without rotary positions need nothing.
    """
    import torch

    if base.structure.architecture.positions != "rotary":
        return lambda keys: keys
    rotary = next((m for _, m in base.model.named_modules() if hasattr(m, "inv_freq")), None)
    if rotary is None or not all(getattr(base.model.config, "no_rope_layers", None) or (1,)):
        raise BadInput(
            f"the layers of {base.name} rotate keys by different angles, and the peft package has "
            f"no prefix for that. {OWN_FORMAT_HINT}"
        )
    if getattr(rotary, "rope_type", "default") in ("dynamic", "longrope"):
        raise BadInput(
            f"{base.name} counts positions by the length of the text; no prefix of the peft "
            f"package equals ours there. {OWN_FORMAT_HINT}"
        )
    angle = rotary.inv_freq.float() * positions
    angle = torch.cat([angle, angle])

    def turned(keys: Tensor) -> Tensor:
        """Rotate keys (n, h, p, e) by the fixed angle."""
        turning, still = keys[..., : len(angle)], keys[..., len(angle) :]  # NeoX turns a part
        left, right = turning.chunk(2, -1)
        turned_part = turning * angle.cos() + torch.cat([-right, left], -1) * angle.sin()
        return torch.cat([turned_part, still], -1) if still.shape[-1] else turned_part

    return turned


def low_rank_products(
    adapted: AdaptedModel, mix: MemberMixture
) -> tuple[list[LowRankProduct], float] | None:
    """Return what is added to matrices as products, down (i, r) and up (r, o), and their scale.

    None if the method does anything else. Sparse atoms whose thresholds are zero are LoRA of that
    many atoms.
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
        for parts in adapted.base.structure.target_slices.values()
        for part in parts
    }
    keys = [name.partition(":")[2] for name in mix.tensors if name.startswith(f"{kinds[0]}:")]
    first, second = kinds
    return [(parts[k], mix(f"{first}:{k}", 1)[0], mix(f"{second}:{k}", 1)[0]) for k in keys], scale


def _without_threshold(adapted: AdaptedModel, mix: MemberMixture) -> bool:
    """Return whether these atoms' coefficients are never cut off and never compete."""
    config = adapted.adapter.config
    learned = [t for name, t in mix.tensors.items() if name.startswith("threshold:")]
    none = all(bool((t == 0).all()) for t in learned) if learned else config.threshold == 0
    return none and config.rounds == 1 and not 0 < config.top_k < config.atoms


def _lora_files(
    base: BaseModel, low_rank_products_found: list[LowRankProduct], scale: float
) -> PeftFiles:
    """Convert products to LoRA; several on one matrix become one of the sum of their ranks."""
    import torch

    from peftcore.adapters.mixing import MemberMixture

    by_path: dict[str, list[LowRankProduct]] = {}
    for product in low_rank_products_found:
        by_path.setdefault(product[0].path, []).append(product)
    tensors, ranks = {}, {}
    for path, shares in by_path.items():
        width = output_width(base, path)
        placed = [MemberMixture.pad_columns(up, part.columns, width) for part, _, up in shares]
        tensors[f"{PEFT_MODULE_PREFIX}{path}.lora_A.weight"] = torch.cat(
            [down for _, down, _ in shares], 1
        ).mT
        tensors[f"{PEFT_MODULE_PREFIX}{path}.lora_B.weight"] = torch.cat(placed).mT
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


def _ia3_files(base: BaseModel, mix: MemberMixture) -> PeftFiles:
    """Convert scales of outputs; those of an inner activation go to the matrix that reads it."""
    import torch

    scales = {name: mix(name, 1)[0, 0] for name in mix.tensors if name.startswith("scale:")}
    tensors, inner = dict[str, torch.Tensor](), list[str]()
    for name, scale in scales.items():
        _, component, path = name.split(":")
        if component == "ffn.activation":
            parent = path.rpartition(".")[0]
            blocks = ffn_slices_by_block(base)
            path = next(b[-1].path for b in blocks if b[0].path.startswith(f"{parent}."))
            inner.append(path)
            tensors[f"{PEFT_MODULE_PREFIX}{path}.ia3_l"] = scale[None]
            continue
        part = next(p for p in base.structure.target_slices[component] if p.path == path)
        key = f"{PEFT_MODULE_PREFIX}{path}.ia3_l"
        column = tensors.setdefault(key, scale.new_ones(output_width(base, path), 1))
        part.columns.view(column[:, 0]).copy_(scale.view(part.groups, -1))
    paths = [key.removeprefix(PEFT_MODULE_PREFIX).removesuffix(".ia3_l") for key in tensors]
    config = {
        "peft_type": "IA3",
        "target_modules": sorted(paths),
        "feedforward_modules": sorted(inner),
        "fan_in_fan_out": any(_transposed(base, path) for path in paths),
    }
    return PeftFiles(config, tensors)


def _transposed(base: BaseModel, path: str) -> bool:
    """Return whether a module stores its matrix (i, o), as GPT-2's do."""
    return type(base.model.get_submodule(path)).__name__ == "Conv1D"


def output_width(base: BaseModel, path: str) -> int:
    """Return how many numbers a module outputs for each position."""
    shape = base.model.get_submodule(path).weight.shape
    return int(shape[1] if _transposed(base, path) else shape[0])
