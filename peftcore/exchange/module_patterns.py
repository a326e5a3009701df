"""The scale of a LoRA product by the peft package's patterns of module names.

`alpha_pattern` maps names or regular expressions to values; the first that matches the end of a
module's path from a dot on, or all of it, counts (the package's `get_pattern_key`). An expression
comes from a stranger's file and could take for ever, so only simple ones are tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from peftcore.errors import BadInput

PLAIN = re.compile(r"[\w.]+")  # a name; its dots match any sign, as in the package
# Names with anchors, escaped dots, alternatives, and few repetitions of single signs.
SIMPLE = re.compile(
    r"(?:[\w\-/]|\\[.dw]|\[[\w\-]+\]|[.^$|]|\((?:\?:)?|\)(?![*+?{])|(?<=[\w.\]])[*+?](?![*+?]))*"
)
MAX_REPETITIONS = 2  # each may try every length of a path
MAX_BRANCHES = 200
MAX_LENGTH = 1000


def product_scale(config: Mapping[str, Any], path: str, rank: int) -> float:
    """Return the factor that the package multiplies a module's product with."""
    alpha = config.get("lora_alpha", 8)
    patterns = config.get("alpha_pattern") or {}
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        if matches(pattern, path):
            alpha = value
            break
    if not isinstance(alpha, (int, float)) or not 0 < alpha < 1e6:
        raise BadInput(f"lora_alpha must be a positive number; got {str(alpha)[:40]}")
    return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern names this module, as in the package; BadInput if it is not simple.

    >>> matches("^model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.q_proj")
    True
    """
    repetitions = len(re.findall(r"(?<!\()[*+?]", pattern))
    if (
        len(pattern) > MAX_LENGTH
        or repetitions > MAX_REPETITIONS
        or pattern.count("|") > MAX_BRANCHES
        or pattern.count("(") > 1
        or not SIMPLE.fullmatch(pattern)
    ):
        raise _refused(pattern)
    try:
        return re.match(rf"(.*\.)?({pattern})$", path) is not None
    except re.error:
        raise _refused(pattern) from None


def _refused(pattern: str) -> BadInput:
    return BadInput(
        f"alpha_pattern must name modules in full, or by a simple expression; got {pattern[:60]!r}"
    )
