"""A user's own table as a task: columns are mapped, rows are split, and the task gets a name.

An imported table is a folder of its own under `tables`, named by a hash of its content: importing
the same twice gives the same task. Reading the file itself is in `peftcore.data.tables`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from peftcore import paths
from peftcore.data import table_checks
from peftcore.data.sources import BadLine, describe_bad_lines, parse_json_lines
from peftcore.data.table_checks import MappedRow, Reader
from peftcore.data.tables import Record, TablePreview, preview_table
from peftcore.data.task import SEPARATOR, Answer, Example, Split, Task
from peftcore.data.wording import Wording
from peftcore.errors import BadInput, unknown_name
from peftcore.metrics import scores as text_scores
from peftcore.settings import Settings
from peftcore.system import rights

TaskKind = Literal["classify", "explain", "generate"]
SPLITS: tuple[Split, ...] = get_args(Split)
SPLIT_SPELLINGS: dict[str, Split] = {
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
# Gives 60, 20, 20 percent.
SPLIT_CYCLE: tuple[Split, ...] = ("train", "validation", "train", "test", "train")
MAX_LABELS = 50
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
WHOLE_NUMBER = re.compile(r"([-+]?\d+)\.0+")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class ColumnMapping(Settings):
    """The role of each column."""

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
class MappedTable:
    """A file under a mapping: its rows, the lines left out and why, and the labels.

    notes: what was read as one though the file writes it in two ways, in sentences.
    """

    items: tuple[MappedRow, ...]
    bad: tuple[BadLine, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def map_columns(table_preview: TablePreview, columns: ColumnMapping, kind: TaskKind) -> MappedTable:
    """Map a file's rows; BadInput where the mapping itself cannot work."""
    _check_columns(table_preview, columns, kind)
    items: list[MappedRow] = []
    bad = list(table_preview.bad)
    for line, row in zip(table_preview.lines, table_preview.rows, strict=True):
        item = _map_row(line, row, columns, kind)
        if isinstance(item, MappedRow):
            items.append(item)
        else:
            bad.append(BadLine(line, item))
    bad.sort(key=lambda bad_line: bad_line.line)
    if not items:
        raise BadInput(f"no row can be used: {describe_bad_lines(bad)}")
    items, notes = (items, ()) if kind == "generate" else _join_number_labels(items)
    labels = () if kind == "generate" else tuple(sorted({item.target for item in items}))
    if kind != "generate" and not 2 <= len(labels) <= MAX_LABELS:
        raise BadInput(
            f"column {columns.target!r} has {len(labels)} different labels; between 2 and "
            f"{MAX_LABELS} are needed (for free text choose the kind generate)"
        )
    return MappedTable(tuple(items), tuple(bad), labels, notes)


def _join_number_labels(items: list[MappedRow]) -> tuple[list[MappedRow], tuple[str, ...]]:
    """Write labels such as 1.0 as 1 where both occur: table programs do so once a cell is missing.

    Only where every label is a number; a note lists what was joined.
    """
    labels = {item.target for item in items}
    joined = {label: whole[1] for label in labels if (whole := WHOLE_NUMBER.fullmatch(label))}
    pairs = {old: new for old, new in joined.items() if new in labels}
    if not pairs or not all(NUMBER.fullmatch(label) for label in labels):
        return items, ()
    named = ", ".join(f"{old} as {new}" for old, new in sorted(pairs.items()))
    found = [replace(item, target=joined.get(item.target, item.target)) for item in items]
    return found, (f"labels read as one: {named}",)


def plain_label(text: str) -> str:
    """Return a label as it is compared: composed, in lower case, without invisible characters.

    Two labels that look alike are one: é of one character or of two, with or without a zero-width
    space, a mark of direction or a space of another kind.
    """
    visible = "".join(c for c in unicodedata.normalize("NFC", text) if _is_visible(c))
    return " ".join(visible.split()).lower()


def _is_visible(character: str) -> bool:
    """Return whether a character shows: format and control characters do not, spaces count."""
    return character.isspace() or unicodedata.category(character) not in ("Cf", "Cc")


def import_table(
    content: bytes,
    name: str,
    columns: ColumnMapping | Mapping[str, Any],
    kind: TaskKind,
    *,
    filename: str = "table.csv",
    seed: int = 0,
    remedies: Sequence[str] = (),
    reader: Reader | None = None,
) -> str:
    """Store a file as a task and return the task's name.

    `name` is what people call it; `filename` only tells the format. Lines that cannot be used are
    left out and listed by number in the task's source note; call `map_columns` first to show them.
    remedies: of what `table_checks` finds in the splits; reader: the base by which lengths count.
    """
    title = " ".join(name.split())
    if not 1 <= len(title) <= 80 or not title.isprintable():
        raise BadInput(f"a table needs a name of 1 to 80 characters; got {name!r:.100}")
    if kind not in get_args(TaskKind):
        raise unknown_name("kind", str(kind), get_args(TaskKind))
    mapping = columns if isinstance(columns, ColumnMapping) else ColumnMapping.make(columns)
    mapped_table = map_columns(preview_table(content, filename), mapping, kind)
    splits, left_out = table_checks.apply_remedies(
        split_rows(mapped_table, mapping, kind, seed), kind, remedies, reader
    )
    kept = [item for rows in splits.values() for item in rows]
    labels = sorted({item.target for item in kept}) if mapped_table.labels else []
    if (labels and len(labels) < 2) or not all(splits.values()):
        raise BadInput(
            "the remedies leave a split without rows, or a single label: choose fewer of them"
        )
    description = {
        "title": title,
        "kind": kind,
        "columns": mapping.model_dump(mode="json"),
        "labels": labels,
        "longest": max(len(_target_text(item).encode()) for item in kept),
        "left_out": [[bad.line, bad.reason] for bad in (*mapped_table.bad, *left_out)],
    } | ({"remedies": sorted(remedies)} if remedies else {})
    rights.require_maker()
    stored = _write_table(description, splits)
    rights.start("import", f"table {stored}")
    return stored


def split_rows(
    mapped: MappedTable, columns: ColumnMapping, kind: TaskKind, seed: int = 0
) -> dict[Split, list[MappedRow]]:
    """Return the rows of each split: by their column, or drawn 60, 20, 20 percent."""
    if columns.split:
        return _splits_from_column(mapped.items)
    return _random_splits(mapped.items, kind, seed)


def find_imported_task(name: str) -> Task | None:
    """Return the imported table of that name, or None."""
    folder = _table_folders().get(name)
    return _make_task(folder, _read_description(folder)) if folder else None


def imported_task_names() -> list[str]:
    """List the names of all imported tables."""
    return sorted(_table_folders())


def delete_table(name: str) -> None:
    """Delete an imported table; runs made with it stay."""
    folders = _table_folders()
    if name not in folders:
        raise unknown_name("imported table", name, folders)
    rights.change("delete", f"table {name}")
    shutil.rmtree(folders[name])


class TableTask(Task):
    """An imported table; `_make_task` makes one class of it for each."""

    folder: Path

    def available(self) -> bool:
        """Return whether the table is still there; somebody may have deleted it."""
        return self.folder.is_dir()

    def load(self, split: Split) -> list[Example]:
        """Return a split's rows in the file's order; to score, texts of one input are grouped."""
        rows, bad = parse_json_lines((self.folder / f"{split}.jsonl").read_bytes())
        if bad:
            raise BadInput(
                f"the imported table {self.title!r} is damaged: {describe_bad_lines(bad)}"
            )
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            grouped = self.kind == "generate" and split != "train"
            groups[row["source"] if grouped else row["line"]].append(row)
        return [self._example(split, group) for group in groups.values()]

    def _example(self, split: Split, group: list[dict[str, Any]]) -> Example:
        """Build the example of a group of rows with one input."""
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
        """Return the scores of the kind that was chosen at the import."""
        if self.kind == "generate":
            return text_scores.generation_scores(answers, gold)
        scores = text_scores.classification_scores(answers, gold, self.labels)
        if self.kind == "explain":
            scores |= text_scores.explanation_scores(answers, gold)
        return scores


def _check_columns(table_preview: TablePreview, columns: ColumnMapping, kind: TaskKind) -> None:
    """Raise BadInput for columns that are missing, doubly used, or show the answer."""
    roles = [*columns.text, columns.target, columns.explanation, columns.split]
    chosen = [name for name in roles if name is not None]
    for name in chosen:
        if name not in table_preview.columns:
            raise unknown_name("column", name, table_preview.columns)
    repeated = [name for name in chosen if chosen.count(name) > 1]
    if repeated:
        raise BadInput(f"column {repeated[0]!r} is chosen twice; choose one use for it")
    if (kind == "explain") != (columns.explanation is not None):
        raise BadInput(
            "choose the column of the explanation"
            if kind == "explain"
            else f"an explanation column is only for the kind explain; the kind is {kind}"
        )
    _check_template(table_preview, columns)


def _check_template(table_preview: TablePreview, columns: ColumnMapping) -> None:
    """Raise BadInput for a template with a wrong brace, no column, or the answer in it."""
    if columns.template is None:
        return
    used = PLACEHOLDER.findall(columns.template)
    rest = PLACEHOLDER.sub("", columns.template)
    if "{" in rest or "}" in rest:
        raise BadInput(f"the template has a brace without its partner: {columns.template!r}")
    if not used:
        raise BadInput("the template has no {column}, so every row would read the same")
    for name in used:
        if name not in table_preview.columns:
            raise unknown_name("column", name, table_preview.columns)
        if name in {columns.target, columns.explanation, columns.split}:
            raise BadInput(f"the template shows column {name!r}, which gives the answer away")


def _map_row(line: int, row: Record, columns: ColumnMapping, kind: TaskKind) -> MappedRow | str:
    """Map the columns of a row, or return why it cannot be used."""
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
        target = plain_label(target)
        if not target:
            return f"column {columns.target!r} holds nothing that shows"
        if SEPARATOR in f" {target} ":
            return f"the label {target!r:.60} holds the word because, which separates explanations"
    split = row[columns.split].strip().lower() if columns.split else ""
    if columns.split and split not in SPLIT_SPELLINGS:
        return f"column {columns.split!r} says {split!r:.60}, not train, validation or test"
    return MappedRow(
        line=line,
        source=_source_text(row, columns),
        parts=parts,
        target=target,
        explanation=explanation if columns.explanation else "",
        split=SPLIT_SPELLINGS.get(split, ""),
    )


def _source_text(row: Record, columns: ColumnMapping) -> str:
    """Fill the template by plain replacement, so that braces inside a text mean nothing."""
    if columns.template is not None:
        return PLACEHOLDER.sub(lambda found: row[found[1]].strip(), columns.template).strip()
    if len(columns.text) == 1:
        return row[columns.text[0]].strip()
    return " ".join(f"{name}: {row[name].strip()}" for name in columns.text)


def _target_text(item: MappedRow) -> str:
    """Return what a model should write for a row."""
    return item.target + (f"{SEPARATOR}{item.explanation}" if item.explanation else "")


def _splits_from_column(items: Sequence[MappedRow]) -> dict[Split, list[MappedRow]]:
    """Group rows by the split that each names."""
    splits: dict[Split, list[MappedRow]] = {split: [] for split in SPLITS}
    for item in items:
        splits[SPLIT_SPELLINGS[item.split]].append(item)
    for split, rows in splits.items():
        if not rows:
            raise BadInput(f"the split column names no {split} row; name some, or choose no column")
    return splits


def _random_splits(
    items: Sequence[MappedRow], kind: TaskKind, seed: int
) -> dict[Split, list[MappedRow]]:
    """Split inputs 60, 20, 20 percent, label by label; an input stays in one split."""
    groups: dict[str, list[MappedRow]] = defaultdict(list)
    for item in items:
        groups[item.source].append(item)
    if len(groups) < len(SPLIT_CYCLE):
        raise BadInput(
            f"the table has {len(groups)} different inputs; at least {len(SPLIT_CYCLE)} are "
            "needed to "
            "split it into train, validation and test"
        )
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    if kind != "generate":
        order.sort(key=lambda source: groups[source][0].target)  # stable: shuffled within a label
    splits: dict[Split, list[MappedRow]] = {split: [] for split in SPLITS}
    for index, source in enumerate(order):
        splits[SPLIT_CYCLE[index % len(SPLIT_CYCLE)]] += groups[source]
    return {split: sorted(rows, key=lambda item: item.line) for split, rows in splits.items()}


def _write_table(description: dict[str, Any], splits: Mapping[Split, Sequence[MappedRow]]) -> str:
    """Write the table's folder, all of it or nothing."""
    files = {f"{split}.jsonl": _rows_as_json_lines(rows) for split, rows in splits.items()}
    text = json.dumps(description, sort_keys=True)
    key = hashlib.sha256("\0".join([text, *files.values()]).encode()).hexdigest()[:16]
    slug = re.sub(r"[^a-z0-9]+", "_", description["title"].lower()).strip("_")[:24].strip("_")
    name = f"table_{slug or 'own'}_{key[:8]}"
    files["task.json"] = json.dumps({"name": name, **description}, indent=1)
    tables = _tables_folder()
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
        # If the description is there, another process has just imported the same table.
        if not (tables / key / "task.json").is_file():
            raise
    return name


def _rows_as_json_lines(items: Sequence[MappedRow]) -> str:
    """Return the rows of a split as JSON lines."""
    fields = ("line", "source", "parts", "target", "explanation")
    rows = ({field: getattr(item, field) for field in fields} for item in items)
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _tables_folder() -> Path:
    """Return the folder of imported tables."""
    return paths.workspace_folder() / "tables"


def _table_folders() -> dict[str, Path]:
    """Return name → folder of every complete imported table."""
    root = _tables_folder()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    described = ((_read_description(folder), folder) for folder in folders if folder.name[0] != ".")
    return {description["name"]: folder for description, folder in described if description}


def _read_description(folder: Path) -> dict[str, Any]:
    """Read a table's description; empty if there is none."""
    try:
        description = json.loads((folder / "task.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return description if isinstance(description, dict) and "name" in description else {}


def _make_task(folder: Path, description: Mapping[str, Any]) -> Task:
    """Make the class of one table, and its only instance."""
    left_out = len(description["left_out"])
    note = f"Your own table{f', {left_out} lines left out' if left_out else ''}"
    fields = {
        "__doc__": description["title"],
        "name": description["name"],
        "title": description["title"],
        "kind": description["kind"],
        "labels": tuple(description["labels"]),
        "main_metric": "bleu" if description["kind"] == "generate" else "accuracy",
        "source_note": note,
        "max_new_tokens": max(8, min(description["longest"] // 2 + 8, 256)),
        "folder": folder,
        "wording": Wording(texts=tuple(description.get("columns", {}).get("text", ()))),
    }
    task: Task = type("ImportedTable", (TableTask,), fields)()
    return task
