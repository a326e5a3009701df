"""The check-up of an own table before it becomes a task: what is odd, with numbers and a remedy.

Every check looks at the splits as they would be imported. A remedy leaves rows out, shortens texts
or takes signs away that do not show; it is applied only if it was chosen, and what it did is kept
with the task.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from peftcore.data.sources import BadLine
from peftcore.data.task import Split
from peftcore.errors import unknown_name
from peftcore.system.visible_text import does_not_show, visible


@dataclass(frozen=True)
class MappedRow:
    """A row with its columns mapped; `explanation` and `split` are empty where there is none."""

    line: int
    source: str
    parts: tuple[str, ...]
    target: str
    explanation: str
    split: str


Splits = dict[Split, list[MappedRow]]
LEAVE_OUT, CUT, CLEAN = "leave out", "cut", "clean"
MAX_NAMED = 3  # rows shown of each finding
MAX_RATIO = 3.0  # of the most frequent label to the rarest one, in the training rows
NO_LABEL = {"-1", "nan", "none", "null", "n/a", "na", "?", "unknown", "-", "missing"}
SHOWN = 60  # characters of a text in an example


@dataclass(frozen=True)
class Reader:
    """A base as the check-up sees it: its window, and which labels it cannot write."""

    name: str
    window: int | None  # positions; None: any length
    positions: Callable[[MappedRow], int]
    unwritable: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableProblem:
    """One oddity: what it is in a sentence, examples of it, its rows and what can be done."""

    check: str
    sentence: str
    examples: tuple[str, ...]
    lines: frozenset[int]
    remedies: tuple[str, ...] = (LEAVE_OUT,)

    @property
    def remedy_keys(self) -> list[str]:
        """Return how the remedies are asked for."""
        return [f"{self.check}: {remedy}" for remedy in self.remedies]


def check_up(splits: Splits, kind: str, reader: Reader | None = None) -> list[TableProblem]:
    """Return what is odd about a table's splits; reader: the base that is meant to read it."""
    found = (check(splits, kind, reader) for check in CHECKS.values())
    return [finding for finding in found if finding]


def apply_remedies(
    splits: Splits, kind: str, remedies: Sequence[str], reader: Reader | None = None
) -> tuple[Splits, list[BadLine]]:
    """Return the splits after the chosen remedies, one after the other, and what was left out."""
    known = [f"{check}: {remedy}" for check in CHECKS for remedy in (LEAVE_OUT, CUT, CLEAN)]
    for wrong in set(remedies) - set(known):
        raise unknown_name("remedy", wrong, known)
    left_out: list[BadLine] = []
    for name in CHECKS:
        for remedy in (CUT, CLEAN, LEAVE_OUT):
            if f"{name}: {remedy}" not in remedies:
                continue
            finding = CHECKS[name](splits, kind, reader)
            if finding is None:
                continue
            if remedy == LEAVE_OUT:
                left_out += [BadLine(n, f"left out: {name}") for n in sorted(finding.lines)]
            change = CHANGES.get(remedy)
            splits = {
                split: [
                    change(row, reader) if change and row.line in finding.lines else row
                    for row in rows
                    if change or row.line not in finding.lines
                ]
                for split, rows in splits.items()
            }
    return splits, left_out


def _rows(splits: Mapping[Split, Sequence[MappedRow]]) -> list[MappedRow]:
    return [row for rows in splits.values() for row in rows]


def _show(row: MappedRow, what: str = "") -> str:
    """Describe a row by its line, its text in short, and what is odd about it."""
    text = visible(" ".join(row.source.split()))
    text = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
    return f"line {row.line}: {text}{f' ({what})' if what else ''}"


def _finding(
    check: str,
    sentence: str,
    rows: Sequence[MappedRow],
    remedies: tuple[str, ...] = (LEAVE_OUT,),
    describe: Callable[[MappedRow], str] = lambda row: "",
) -> TableProblem | None:
    """Make the finding of some rows; None where there are none."""
    if not rows:
        return None
    examples = tuple(_show(row, describe(row)) for row in rows[:MAX_NAMED])
    return TableProblem(check, sentence, examples, frozenset(row.line for row in rows), remedies)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _missing_labels(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find labels that stand for no label in many data sets."""
    if kind == "generate":
        return None
    rows = [row for row in _rows(splits) if row.target in NO_LABEL]
    names = ", ".join(sorted({repr(row.target) for row in rows}))
    count = _count(len(rows), "row")
    sentence = f"{count} with the label {names}, which often says that none is known"

    return _finding("no label", sentence, rows)


def _hidden_signs(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find signs that do not show: NUL bytes, control signs, marks of writing direction."""
    found = {row.line: _hidden(row) for row in _rows(splits)}
    rows = [row for row in _rows(splits) if found[row.line]]
    names = Counter(name for row in rows for name in found[row.line])
    sentence = (
        f"{_count(len(rows), 'row')} with signs that do not show: "
        f"{', '.join(f'{name} in {count:,}' for name, count in names.most_common(3))}"
    )
    return _finding(
        "hidden signs", sentence, rows, (CLEAN, LEAVE_OUT), lambda row: ", ".join(found[row.line])
    )


def _hidden(row: MappedRow) -> list[str]:
    """Name the hidden signs of a row, each once."""
    text = row.source + row.target + row.explanation
    return sorted({_sign_name(c) for c in text if does_not_show(c)})


def _sign_name(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    return name or ("NUL" if character == "\0" else f"control sign {ord(character)}")


def _clean(row: MappedRow, reader: Reader | None) -> MappedRow:
    """Take hidden signs out of a row's texts."""
    bare = lambda text: "".join(c for c in text if not does_not_show(c))
    return replace(
        row,
        source=bare(row.source),
        parts=tuple(map(bare, row.parts)),
        target=bare(row.target),
        explanation=bare(row.explanation),
    )


def _too_long(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find rows beyond the window of the base that is meant to read them."""
    if reader is None or not reader.window:
        return None
    lengths = {row.line: reader.positions(row) for row in _rows(splits)}
    rows = [row for row in _rows(splits) if lengths[row.line] > reader.window]
    longest = max(lengths.values(), default=0)
    sentence = (
        f"{_count(len(rows), 'row')} longer than the {reader.window:,} positions of {reader.name}; "
        f"the longest needs {longest:,}"
    )
    describe = lambda row: f"{lengths[row.line]:,} positions"
    return _finding("too long", sentence, rows, (CUT, LEAVE_OUT), describe)


def _cut(row: MappedRow, reader: Reader | None) -> MappedRow:
    """Keep as many signs from the start of a row's longest text as the window has room for."""
    if reader is None or not reader.window:
        return row
    longest = max(row.parts, key=len)
    low, high = 0, len(longest)
    while low < high:  # the most signs that fit
        middle = (low + high + 1) // 2
        fits = reader.positions(_shortened(row, longest, middle)) <= reader.window
        low, high = (middle, high) if fits else (low, middle - 1)
    return _shortened(row, longest, low)


def _shortened(row: MappedRow, text: str, size: int) -> MappedRow:
    """Shorten one text of a row, where it stands in the source, too."""
    short = text[:size].rstrip()
    parts = tuple(short if part == text else part for part in row.parts)
    return replace(row, source=row.source.replace(text, short, 1), parts=parts)


def _lonely_labels(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find labels that no training row has, or that only training rows have."""
    if kind == "generate":
        return None
    of = {split: {row.target for row in rows} for split, rows in splits.items()}
    every = set().union(*of.values())
    lonely = {label for label in every if sum(label in labels for labels in of.values()) == 1}
    untrained = every - of.get("train", set())
    rows = [row for row in _rows(splits) if row.target in lonely | untrained]
    where = ", ".join(
        f"{label!r} in {' and '.join(split for split, labels in of.items() if label in labels)}"
        for label in sorted(lonely | untrained)[:MAX_NAMED]
    )
    labels = _count(len(lonely | untrained), "label")
    return _finding("label of one split", f"{labels} not in every split: {where}", rows)


def _shared_texts(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find training and validation rows whose text is asked again later."""
    later: set[str] = set()
    rows: list[MappedRow] = []
    for split in ("test", "validation", "train"):
        own = splits.get(split, [])
        rows += [row for row in own if _plain(row) in later]
        later |= {_plain(row) for row in own}
    count = _count(len(rows), "row")
    sentence = f"{count} of train or validation with a text that a later split has"

    return _finding("text in two splits", sentence, rows)


def _plain(row: MappedRow) -> str:
    return " ".join(unicodedata.normalize("NFC", row.source).lower().split())


def _repeated(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find rows that an earlier row of the split has word for word."""
    rows = []
    for own in splits.values():
        seen: set[tuple[str, str, str]] = set()
        for row in own:
            content = (_plain(row), row.target, row.explanation)
            rows += [row] if content in seen else []
            seen.add(content)
    sentence = f"{_count(len(rows), 'row repeats', 'rows repeat')} an earlier one of the split"
    return _finding("repeated", sentence, rows)


def _contradictions(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find texts with more than one label."""
    if kind == "generate":
        return None
    labels: dict[str, set[str]] = defaultdict(set)
    for row in _rows(splits):
        labels[_plain(row)].add(row.target)
    rows = [row for row in _rows(splits) if len(labels[_plain(row)]) > 1]
    sentence = f"{_count(len(rows), 'row')} whose text has different labels in different rows"
    return _finding("two labels", sentence, rows, describe=lambda row: row.target)


def _imbalance(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find the surplus of labels that are far more frequent than the rarest one."""
    train = splits.get("train", [])
    counts = Counter(row.target for row in train)
    if kind == "generate" or len(counts) < 2:
        return None
    (most, many), *_, (rarest, few) = counts.most_common()
    seen: Counter[str] = Counter()
    rows = []
    for row in train:
        seen[row.target] += 1
        rows += [row] if seen[row.target] > MAX_RATIO * few else []
    sentence = (
        f"the label {most!r} has {_count(many, 'training row')}, {rarest!r} has {few:,}: leaving "
        f"{len(rows):,} out makes that {MAX_RATIO:.0f} to 1; accuracy alone says little here"
    )
    return _finding("imbalance", sentence, rows, describe=lambda row: row.target)


def _unwritable(splits: Splits, kind: str, reader: Reader | None) -> TableProblem | None:
    """Find labels that the base's vocabulary cannot write."""
    if reader is None or not reader.unwritable:
        return None
    rows = [row for row in _rows(splits) if row.target in reader.unwritable]
    named = ", ".join(map(repr, reader.unwritable[:MAX_NAMED]))
    sentence = f"{reader.name} cannot write {_count(len(reader.unwritable), 'label')}: {named}"
    return _finding("label not writable", sentence, rows)


Check = Callable[[Splits, str, Reader | None], TableProblem | None]
CHECKS: dict[str, Check] = {  # in the order in which remedies are applied
    "no label": _missing_labels,
    "hidden signs": _hidden_signs,
    "too long": _too_long,
    "label not writable": _unwritable,
    "two labels": _contradictions,
    "repeated": _repeated,
    "text in two splits": _shared_texts,
    "label of one split": _lonely_labels,
    "imbalance": _imbalance,
}
CHANGES: dict[str, Callable[[MappedRow, Reader | None], MappedRow]] = {CUT: _cut, CLEAN: _clean}
