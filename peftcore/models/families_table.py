"""The table of model families: what works, how it is built, and why the rest is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peftcore.models.architectures import FAMILIES, Architecture, FusedPart
from peftcore.system.markdown_blocks import replace_block

README = Path(__file__).with_name("README.md")
POSITIONS = {
    "absolute": "learned table",
    "relative": "bias by distance",
    "rotary": "rotary",
}


def family_records() -> list[dict[str, Any]]:
    """Return a record of every known family, those that work first."""
    records = [
        {
            "family": family.title,
            "model_type": family.name,
            "works": family.architecture is not None,
            "kind": family.architecture.kind if family.architecture else None,
            "positions": POSITIONS[family.architecture.positions] if family.architecture else None,
            "query_key_value": _matrices(family.architecture) if family.architecture else None,
            "why_not": family.refused or None,
        }
        for family in FAMILIES.values()
    ]
    order = {"encoder": 0, "decoder": 1, "encoder-decoder": 2}
    return sorted(
        records, key=lambda r: (not r["works"], order.get(r["kind"], 3), r["family"].lower())
    )


def _matrices(architecture: Architecture) -> str:
    """Say how query, key and value are stored."""
    rule = architecture.components["attention.query"]
    if not isinstance(rule, FusedPart):
        return "a matrix each"
    return "one matrix, head by head" if rule.by_head else "one matrix"


def markdown_table() -> str:
    """Return both tables for a README: the families that work, and those that are refused."""
    records = family_records()
    works = [r for r in records if r["works"]]
    lines = ["| family | `model_type` | kind | positions | query, key, value |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {r['family']} | `{r['model_type']}` | {r['kind']} | {r['positions']} | "
        f"{r['query_key_value']} |"
        for r in works
    ]
    lines += ["", "| refused | `model_type` | why |", "| --- | --- | --- |"]
    lines += [
        f"| {r['family']} | `{r['model_type']}` | {r['why_not']} |"
        for r in records
        if not r["works"]
    ]
    return "\n".join(lines)


def readme_with_table() -> str:
    """Return the README of this package with the tables as they are now."""
    return replace_block(README.read_text("utf-8"), "families", markdown_table())
