"""The card of a base that was added: what it is, where it comes from, and how good it was found.

Its facts are in `added.json` beside the weights, its measured quality in `quality.json`; the card
is made of both. What a foreign file calls itself is quoted as text, never as markup.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from peftcore.intake.places import CARD_FILE, QUALITY_FILE, RECORD_FILE
from peftcore.system import atomic_files

MADE_BY_US = "models add"  # a folder that was copied keeps the card it came with


@dataclass(frozen=True)
class Origin:
    """The origin of a base, as it goes into `added.json`."""

    summary: str  # one sentence without its full stop
    source: str  # in words
    licence: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)  # file → SHA-256
    conversion: str = ""  # how the weights were turned, in words
    architecture: str = ""
    card: str = MADE_BY_US


def plain_text(text: str, limit: int = 120) -> str:
    """Return a foreign text on one line, without signs that Markdown or HTML acts on."""
    shown = re.sub(r"[^\w\s.,:;/()@+-]|(?<![^\W_])_|_(?![^\W_])", " ", text)
    return " ".join(shown.split())[:limit]


def write_record(folder: Path, name: str, origin: Origin) -> None:
    """Write `added.json`, and the card unless the base came with its own."""
    has_card = (folder / CARD_FILE).is_file()
    record = asdict(origin) | {"name": name, "added": time.strftime("%Y-%m-%d %H:%M:%S %z")}
    record |= {"card": "its own" if has_card else MADE_BY_US}
    _write_json(folder / RECORD_FILE, record)
    write_card(folder)


def write_quality(folder: Path, quality: Mapping[str, Any]) -> None:
    """Write the measured quality of an added base, and into its card."""
    _write_json(folder / QUALITY_FILE, quality)
    write_card(folder)


def write_card(folder: Path) -> None:
    """Make the card anew of what is known, unless the base came with its own."""
    record = atomic_files.read_json(folder / RECORD_FILE)
    if record.get("card") == MADE_BY_US:
        quality = atomic_files.read_json(folder / QUALITY_FILE)
        text = "\n\n".join(_paragraphs(record, quality)) + "\n"
        atomic_files.replace_file(folder / CARD_FILE, text.encode())


def _paragraphs(record: Mapping[str, Any], quality: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paragraphs of a card; the first is what lists of bases show."""
    if record["licence"]:
        yield f"---\nlicense: {plain_text(record['licence']).lower()}\n---"
    yield f"# {record['name']}"
    yield f"{record['summary']}."
    yield "## Where it comes from"
    yield f"{record['source']}. Licence: {record['licence'] or 'not stated in the file'}."
    if record["hashes"]:
        yield "\n".join(f"- SHA-256 of {name}: {h}" for name, h in record["hashes"].items())
    if record["architecture"]:
        yield f"## Architecture\n\n{record['architecture']}."
    if record["conversion"]:
        yield f"## How it was converted\n\n{record['conversion']}."
    yield "## Measured quality"
    if quality:
        yield "\n".join(f"- {line}" for line in quality_lines(quality))
        yield f"Measured by `python -m peftcore models measure {record['name']}`."
    else:
        yield f"Not measured yet: `python -m peftcore models measure {record['name']}`."


def quality_lines(quality: Mapping[str, Any]) -> list[str]:
    """Say in words what was measured: one line each."""
    lines = []
    for pairs in quality.get("pairs", ()):
        lines.append(
            f"{pairs['title']}: {pairs['accuracy']:.2f} (95 % interval {pairs['low']:.2f} to "
            f"{pairs['high']:.2f}; {pairs['n']:,} {pairs['unit']}; chance 0.50). {pairs['note']}"
        )
    if text := quality.get("perplexity"):
        lines.append(
            f"Perplexity on {text['n']:,} sentences of {text['title']}: {text['per_word']:.1f} per "
            f"word ({text['words']:,} words), {text['per_token']:.1f} per token "
            f"({text['tokens']:,} tokens)"
        )
    return lines


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(atomic_files.to_jsonable(value), indent=1, ensure_ascii=False)
    atomic_files.replace_file(path, text.encode())
