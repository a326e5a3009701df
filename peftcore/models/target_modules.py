"""Choosing the linear parts of a base that a method adds something to.

What the parts are is known to `structure`; what is added to them is the method's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from peftcore.errors import BadInput
from peftcore.models.structure import Part, Stack

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

Linear = Literal[
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.output",
    "cross.query",
    "cross.key",
    "cross.value",
    "cross.output",
    "ffn",
    "ffn.output",
]


def chosen(base: BaseModel, components: Sequence[str], stacks: Sequence[Stack]) -> list[Part]:
    """The parts of these components in these stacks, each once; BadInput if there are none.

    Components the base does not have are passed over, and a base with one stack has only that.
    """
    both = base.kind == "encoder-decoder"
    found = {
        (part.path, part.start): part
        for name in components
        for part in _of(base, name)
        if part.stack in stacks or not both
    }
    if not found:
        have = ", ".join(name for name, parts in base.anatomy.parts.items() if parts)
        raise BadInput(
            f"{base.name} has no {' or '.join(components)} in its {' or '.join(stacks)}; "
            f"components must name one of: {have}"
        )
    return list(found.values())


def _of(base: BaseModel, component: str) -> Sequence[Part]:
    return (
        last_of_feed_forward(base)
        if component == "ffn.output"
        else (base.anatomy.parts.get(component, ()))
    )


def last_of_feed_forward(base: BaseModel) -> list[Part]:
    """The last matrix of each feed-forward block: the one that writes to the residual stream."""
    return [block[-1] for block in feed_forwards(base)]


def feed_forwards(base: BaseModel) -> list[list[Part]]:
    """The matrices of each feed-forward block in the order they are applied."""
    blocks: dict[str, list[Part]] = {}
    for part in base.anatomy.parts.get("ffn", ()):
        layer = re.match(r".*\.\d+(?=\.)", part.path)
        blocks.setdefault(layer.group() if layer else "", []).append(part)
    return list(blocks.values())


def key(part: Part) -> str:
    """How tensors of a part are called, after the kind: "component:path"."""
    return f"{part.component}:{part.path}"
