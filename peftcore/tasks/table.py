"""Your own table as a task: columns are mapped, rows are split, and the task gets a name.

An imported table is a folder of its own under `tables`, called by a hash of what is in it:
importing the same twice is the same task.  Reading the file itself is `peftcore.data.tables`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from peftcore import paths
from peftcore.data.sources import BadLine, json_lines, listing
from peftcore.data.tables import Preview, Record, preview
from peftcore.data.task import SEPARATOR, Answer, Example, Split, Task
from peftcore.errors import BadInput, unknown
from peftcore.metrics import scores as text_scores
from peftcore.settings import Settings

Kind = Literal["classify", "explain", "generate"]
SPLITS: tuple[Split, ...] = get_args(Split)
SPELLINGS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
TURN: tuple[Split, ...] = ("train", "validation", "train", "test", "train")  # 60, 20, 20 percent
MAX_LABELS = 50
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Columns(Settings):
    """Which column is what."""

    text: tuple[str, ...] = Field(
        min_length=1, max_length=2, description="Column of the text, or two columns for a pair"
    )
    target: str = Field(description="Column of the label, or of the text to write")
    explanation: str | None = Field(None, description="Column of the explanation")
    split: str | None = Field(
        None, description="Column that says train, validation or test; empty draws 60/20/20"
    )
    template: str | None = Field(
        None,
        max_length=2000,
        description="How a row reads, with {column} where its text goes; empty names the columns",
    )


@dataclass(frozen=True)
class Item:
    """A row with its columns mapped; `explanation` and `split` are empty where there is none."""

    line: int
    source: str
    parts: tuple[str, ...]
    target: str
    explanation: str
    split: str


@dataclass(frozen=True)
class Reading:
    """What a mapping makes of a file: its rows, the lines left out and why, and the labels."""

    items: tuple[Item, ...]
    bad: tuple[BadLine, ...]
    labels: tuple[str, ...]


def read(found: Preview, columns: Columns, kind: Kind) -> Reading:
    """A file's rows under a mapping; BadInput where the mapping itself cannot work."""
    _check(found, columns, kind)
    items: list[Item] = []
    bad = list(found.bad)
    for line, row in zip(found.lines, found.rows, strict=True):
        item = _item(line, row, columns, kind)
        if isinstance(item, Item):
            items.append(item)
        else:
            bad.append(BadLine(line, item))
    bad.sort(key=lambda one: one.line)
    if not items:
        raise BadInput(f"no row can be used: {listing(bad)}")
    labels = () if kind == "generate" else tuple(sorted({item.target for item in items}))
    if kind != "generate" and not 2 <= len(labels) <= MAX_LABELS:
        raise BadInput(
            f"column {columns.target!r} has {len(labels)} different labels; between 2 and "
            f"{MAX_LABELS} are needed (for free text choose the kind generate)"
        )
    return Reading(tuple(items), tuple(bad), labels)


def import_table(
    content: bytes,
    name: str,
    columns: Columns | Mapping[str, Any],
    kind: Kind,
    *,
    filename: str = "table.csv",
    seed: int = 0,
) -> str:
    """Keep a file as a task and return the task's name.

    `name` is what people call it; `filename` only tells the format.  Lines that cannot be used are
    left out and kept by number in the task's source note; look at `read` first to show them.
    """
    title = " ".join(name.split())
    if not 1 <= len(title) <= 80 or not title.isprintable():
        raise BadInput(f"a table needs a name of 1 to 80 characters; got {name!r:.100}")
    if kind not in get_args(Kind):
        raise unknown("kind", str(kind), get_args(Kind))
    mapping = columns if isinstance(columns, Columns) else Columns.make(columns)
    reading = read(preview(content, filename), mapping, kind)
    splits = _given(reading.items) if mapping.split else _drawn(reading.items, kind, seed)
    description = {
        "title": title,
        "kind": kind,
        "columns": mapping.model_dump(mode="json"),
        "labels": list(reading.labels),
        "longest": max(len(_written(item).encode()) for item in reading.items),
        "left_out": [[line.line, line.reason] for line in reading.bad],
    }
    return _write(description, splits)


def find(name: str) -> Task | None:
    """The imported table of that name, if there is one."""
    folder = _folders().get(name)
    return _task(folder, _describe(folder)) if folder else None


def names() -> list[str]:
    """The names of all imported tables."""
    return sorted(_folders())


def delete_table(name: str) -> None:
    """Forget an imported table; runs made with it stay."""
    folders = _folders()
    if name not in folders:
        raise unknown("imported table", name, folders)
    shutil.rmtree(folders[name])


class TableTask(Task):
    """An imported table; `_task` makes one class of it for each."""

    folder: Path

    def load(self, split: Split) -> list[Example]:
        """Rows of a split in the order of the file; to score, texts of one input are grouped."""
        rows, bad = json_lines((self.folder / f"{split}.jsonl").read_bytes())
        if bad:
            raise BadInput(f"the imported table {self.title!r} is damaged: {listing(bad)}")
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            together = self.kind == "generate" and split != "train"
            groups[row["source"] if together else row["line"]].append(row)
        return [self._example(split, group) for group in groups.values()]

    def _example(self, split: Split, group: list[dict[str, Any]]) -> Example:
        first = group[0]
        explanation = first["explanation"]
        targets = [row["target"] for row in group]
        return Example(
            id=f"{split}-{first['line']}",
            source=first["source"],
            target=targets[0] + (f"{SEPARATOR}{explanation}" if explanation else ""),
            label=targets[0] if self.labels else None,
            references=tuple(dict.fromkeys([explanation] if explanation else targets))
            if self.kind != "classify"
            else (),
            parts=tuple(first["parts"]),
        )

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Scores of the kind that was chosen at the import."""
        if self.kind == "generate":
            return text_scores.generation_scores(answers, gold)
        scores = text_scores.classification_scores(answers, gold, self.labels)
        if self.kind == "explain":
            scores |= text_scores.explanation_scores(answers, gold)
        return scores


def _check(found: Preview, columns: Columns, kind: Kind) -> None:
    """BadInput for columns that do not exist, mean two things, or give the answer away."""
    roles = [*columns.text, columns.target, columns.explanation, columns.split]
    chosen = [name for name in roles if name is not None]
    for name in chosen:
        if name not in found.columns:
            raise unknown("column", name, found.columns)
    twice = [name for name in chosen if chosen.count(name) > 1]
    if twice:
        raise BadInput(f"column {twice[0]!r} is chosen twice; choose one use for it")
    if (kind == "explain") != (columns.explanation is not None):
        raise BadInput(
            "choose the column of the explanation"
            if kind == "explain"
            else f"an explanation column is only for the kind explain; the kind is {kind}"
        )
    _check_template(found, columns)


def _check_template(found: Preview, columns: Columns) -> None:
    if columns.template is None:
        return
    used = PLACEHOLDER.findall(columns.template)
    rest = PLACEHOLDER.sub("", columns.template)
    if "{" in rest or "}" in rest:
        raise BadInput(f"the template has a brace without its partner: {columns.template!r}")
    if not used:
        raise BadInput("the template has no {column}, so every row would read the same")
    for name in used:
        if name not in found.columns:
            raise unknown("column", name, found.columns)
        if name in {columns.target, columns.explanation, columns.split}:
            raise BadInput(f"the template shows column {name!r}, which gives the answer away")


def _item(line: int, row: Record, columns: Columns, kind: Kind) -> Item | str:
    """A row with its columns mapped, or why it cannot be used."""
    parts = tuple(row[name].strip() for name in columns.text)
    target = " ".join(row[columns.target].split())
    explanation = " ".join(row[columns.explanation or columns.target].split())
    empty = [name for name, text in zip(columns.text, parts, strict=True) if not text]
    if not target:
        empty.append(columns.target)
    if columns.explanation and not explanation:
        empty.append(columns.explanation)
    if empty:
        return f"column {empty[0]!r} is empty"
    if kind != "generate":
        target = target.lower()
        if SEPARATOR in f" {target} ":
            return f"the label {target!r:.60} holds the word because, which separates explanations"
    split = row[columns.split].strip().lower() if columns.split else ""
    if columns.split and split not in SPELLINGS:
        return f"column {columns.split!r} says {split!r:.60}, not train, validation or test"
    return Item(
        line=line,
        source=_phrase(row, columns),
        parts=parts,
        target=target,
        explanation=explanation if columns.explanation else "",
        split=SPELLINGS.get(split, ""),
    )


def _phrase(row: Record, columns: Columns) -> str:
    """How a row reads: plain replacement, so that braces inside a text mean nothing."""
    if columns.template is not None:
        return PLACEHOLDER.sub(lambda found: row[found[1]].strip(), columns.template).strip()
    if len(columns.text) == 1:
        return row[columns.text[0]].strip()
    return " ".join(f"{name}: {row[name].strip()}" for name in columns.text)


def _written(item: Item) -> str:
    """What a model should write for an item."""
    return item.target + (f"{SEPARATOR}{item.explanation}" if item.explanation else "")


def _given(items: Sequence[Item]) -> dict[Split, list[Item]]:
    """The split each row names."""
    splits: dict[Split, list[Item]] = {split: [] for split in SPLITS}
    for item in items:
        splits[SPELLINGS[item.split]].append(item)
    for split, rows in splits.items():
        if not rows:
            raise BadInput(f"the split column names no {split} row; name some, or choose no column")
    return splits


def _drawn(items: Sequence[Item], kind: Kind, seed: int) -> dict[Split, list[Item]]:
    """60, 20, 20 percent of the different inputs, label by label; an input stays in one split."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.source].append(item)
    if len(groups) < len(TURN):
        raise BadInput(
            f"the table has {len(groups)} different inputs; at least {len(TURN)} are needed to "
            "split it into train, validation and test"
        )
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    if kind != "generate":
        order.sort(key=lambda source: groups[source][0].target)  # stable: shuffled within a label
    splits: dict[Split, list[Item]] = {split: [] for split in SPLITS}
    for place, source in enumerate(order):
        splits[TURN[place % len(TURN)]] += groups[source]
    return {split: sorted(rows, key=lambda item: item.line) for split, rows in splits.items()}


def _write(description: dict[str, Any], splits: Mapping[Split, Sequence[Item]]) -> str:
    """Put the table in its folder, all of it or nothing."""
    files = {f"{split}.jsonl": _lines(rows) for split, rows in splits.items()}
    text = json.dumps(description, sort_keys=True)
    key = hashlib.sha256("\0".join([text, *files.values()]).encode()).hexdigest()[:16]
    slug = re.sub(r"[^a-z0-9]+", "_", description["title"].lower()).strip("_")[:24].strip("_")
    name = f"table_{slug or 'own'}_{key[:8]}"
    files["task.json"] = json.dumps({"name": name, **description}, indent=1)
    tables = _root()
    tables.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (tables / key / "task.json").is_file():
        return name
    partial = Path(tempfile.mkdtemp(prefix=".", dir=tables))
    try:
        for file, content in files.items():
            (partial / file).write_text(content, "utf-8", newline="")
        os.rename(partial, tables / key)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not (tables / key / "task.json").is_file():  # else somebody imported the same just now
            raise
    return name


def _lines(items: Sequence[Item]) -> str:
    """Rows of a split as JSON lines."""
    fields = ("line", "source", "parts", "target", "explanation")
    rows = ({field: getattr(item, field) for field in fields} for item in items)
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _root() -> Path:
    return paths.home() / "tables"


def _folders() -> dict[str, Path]:
    """Name → folder of every imported table that is whole."""
    root = _root()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    described = ((_describe(folder), folder) for folder in folders if folder.name[0] != ".")
    return {found["name"]: folder for found, folder in described if found}


def _describe(folder: Path) -> dict[str, Any]:
    """The description of a table; empty if there is none."""
    try:
        found = json.loads((folder / "task.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and "name" in found else {}


def _task(folder: Path, found: Mapping[str, Any]) -> Task:
    """The class of one table, and its only instance."""
    left_out = len(found["left_out"])
    note = f"Your own table{f', {left_out} lines left out' if left_out else ''}"
    fields = {
        "__doc__": found["title"],
        "name": found["name"],
        "title": found["title"],
        "kind": found["kind"],
        "labels": tuple(found["labels"]),
        "main_metric": "bleu" if found["kind"] == "generate" else "accuracy",
        "source_note": note,
        "max_new_tokens": max(8, min(found["longest"] // 2 + 8, 256)),
        "folder": folder,
    }
    task: Task = type("ImportedTable", (TableTask,), fields)()
    return task
