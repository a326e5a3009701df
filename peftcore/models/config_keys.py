"""Keys of a foreign config.json that reach the library: those of its family, and plain numbers.

A configuration describes sizes. Other keys have made libraries fetch kernels, import modules or
open paths, and all of these are named by a text. So a text under a key that the library's own class
of the family does not know is left out; a number passes, since older configurations write some
under keys that the library translates. Whatever names an implementation, code or a place is left
out even where the class knows it: how attention is computed is ours to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

# Read by nobody but us, or by nobody: what every saved configuration says of itself.
DESCRIPTIVE = frozenset(
    {"model_type", "architectures", "transformers_version", "torch_dtype", "draws"}  # draws: ours
)
# Of earlier releases, with texts in them; the library translates them.
EARLIER = frozenset({"rope_scaling", "position_embedding_type"})
# Keys by which a configuration has named an implementation, code or a place.
NEVER = frozenset(
    {
        *("attn_implementation", "experts_implementation", "auto_map", "custom_pipelines"),
        *(
            "name_or_path",
            "trust_remote_code",
            "use_kernels",
            "kernel_config",
            "base_model_tp_plan",
        ),
        *("base_model_pp_plan", "base_model_ep_plan", "tp_plan", "pp_plan", "distributed_config"),
    }
)


def left_out(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the keys of a configuration that do not reach the library."""
    return tuple(sorted(set(_paths(config)) - set(_paths(allowed(config)))))


def allowed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without what its family does not know or we never take."""
    known = _family_keys(str(config.get("model_type", "")))
    return {
        key: _without_forbidden(value)
        for key, value in config.items()
        if not _forbidden(key) and (key in known or not _holds_text(value))
    }


def _forbidden(key: str) -> bool:
    """Return whether a key is the library's own (`_…`) or names what is ours to say."""
    return not isinstance(key, str) or key.startswith("_") or key in NEVER


def _holds_text(value: Any) -> bool:
    """Return whether a value is a text or has one in it, as a key or a value."""
    if isinstance(value, Mapping):
        return bool(value)  # its keys are texts
    if isinstance(value, list):
        return any(map(_holds_text, value))
    return isinstance(value, str)


def _without_forbidden(value: Any) -> Any:
    """Return a value without forbidden keys at any depth."""
    if isinstance(value, Mapping):
        return {k: _without_forbidden(v) for k, v in value.items() if not _forbidden(k)}
    if isinstance(value, list):
        return [_without_forbidden(part) for part in value]
    return value


@lru_cache(maxsize=64)
def _family_keys(model_type: str) -> frozenset[str]:
    """Return what the library's class of a family knows, as texts or as numbers."""
    from transformers import CONFIG_MAPPING, GenerationConfig

    if model_type not in CONFIG_MAPPING:
        return DESCRIPTIVE
    own = CONFIG_MAPPING[model_type]
    known = {*own().to_dict(), *own.attribute_map, *own.attribute_map.values(), *DESCRIPTIVE}
    known |= EARLIER
    # Old folders keep how answers are made here; `decoding` sets it aside and says so.
    return frozenset(known | set(GenerationConfig().to_dict()) | {"task_specific_params"})


def _paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the name of every key of nested objects."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"{prefix}{key}"
            yield from _paths(part, f"{prefix}{key}.")
