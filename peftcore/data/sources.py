"""Load rows of public data sets, from the data directory or, with a network, from the hub.

Both have the same field names, so that one task file serves both. A folder that exists is never
mixed with the hub: its splits may have been made differently.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub.constants import ENDPOINT

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.system import atomic_files

Row = dict[str, Any]
Fields = Mapping[str, type]  # field → the type its values must have
TYPE_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number with a point",
    list: "a list",
    dict: "an object in braces",
}
COMMIT = re.compile(r"[0-9a-f]{40}")
COMMITS_FILE = "hub_commits.json"  # in the workspace: repository@branch → commit
MAX_LISTED = 10  # bad lines named in an error; the rest are counted


@dataclass(frozen=True)
class HubSource:
    """A data set on the hub: repository, configuration and the revision that is read.

    A revision that is no commit moves, so a workspace keeps to the commit it was when first read.
    """

    id: str
    config: str | None
    revision: str


@dataclass(frozen=True)
class BadLine:
    """A line that could not be read: its number in the file, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        """Return "line N: reason"."""
        return f"line {self.line}: {self.reason}"


def load_rows(
    folder: str,
    split: str,
    hub: HubSource | None = None,
    fields: Fields | None = None,
    hub_split: str = "",
) -> list[Row]:
    """Load all rows of a split, each with at least `fields`.

    BadInput lists lines that cannot be read, or says what to do where the data are missing.
    `hub_split` is the hub's name for the split, where it differs.
    """
    directory = paths.data_folder() / folder
    file = directory / f"{split}.jsonl"
    if file.is_file():
        state = file.stat()
        stored_rows = _read_file(
            file, state.st_mtime_ns, state.st_size, tuple((fields or {}).items())
        )
        return [dict(row) for row in stored_rows]
    if directory.is_dir():
        raise BadInput(f"no {file.name} in {directory}; the other splits of {folder} are there")
    return _from_hub(folder, hub_split or split, hub, directory)


def is_available(folder: str) -> bool:
    """Return whether the data directory has this data set, so that no network is needed."""
    return (paths.data_folder() / folder).is_dir()


def parse_json_lines(
    content: bytes, fields: Fields | None = None
) -> tuple[list[Row], list[BadLine]]:
    """Parse a file of JSON lines to its objects and its bad lines; empty lines are skipped."""
    good_rows: list[Row] = []
    bad: list[BadLine] = []
    for number, row in iter_json_objects(content):
        if isinstance(row, BadLine):
            bad.append(row)
        elif reason := _field_problem(row, fields or {}):
            bad.append(BadLine(number, reason))
        else:
            good_rows.append(row)
    return good_rows, bad


def iter_json_objects(content: bytes) -> Iterator[tuple[int, Row | BadLine]]:
    """Yield each line that is not empty with its number: its object, or why it has none."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _parse_object(line)
            yield number, BadLine(number, row) if isinstance(row, str) else row


def describe_bad_lines(bad: Collection[BadLine]) -> str:
    """List bad lines in a sentence, the first few by number."""
    first = "; ".join(map(str, list(bad)[:MAX_LISTED]))
    return first + (f"; and {len(bad) - MAX_LISTED} more" if len(bad) > MAX_LISTED else "")


def _parse_object(line: bytes) -> Row | str:
    """Parse the object of a line, or return why it has none."""
    try:
        value = json.loads(line.decode())
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeEncodeError:
        return "holds half a surrogate pair, which is no text"
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1})"
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg.lower()}, character {error.pos + 1})"
    except (ValueError, RecursionError):
        return "not JSON that can be read (too deep or a number too long)"
    return value if isinstance(value, dict) else "not a JSON object in braces"


def _field_problem(row: Row, fields: Fields) -> str | None:
    """Return in words the first field that is missing or of a wrong type, or None."""
    for field, kind in fields.items():
        if field not in row:
            return f"field {field!r} is missing"
        if type(row[field]) is not kind:
            return (
                f"field {field!r} must be {TYPE_NAMES.get(kind, kind.__name__)}; got "
                f"{row[field]!r:.60}"
            )
    return None


@lru_cache(maxsize=64)
def _read_file(
    file: Path, modified: int, size: int, fields: tuple[tuple[str, type], ...]
) -> tuple[Row, ...]:
    """Read a file's rows, cached for this modification time and size."""
    good_rows, bad = parse_json_lines(file.read_bytes(), dict(fields))
    if bad:
        raise BadInput(f"{file} has {len(bad)} bad lines: {describe_bad_lines(bad)}")
    if not good_rows:
        raise BadInput(f"{file} has no rows")
    return tuple(good_rows)


def _from_hub(folder: str, split: str, hub: HubSource | None, directory: Path) -> list[Row]:
    """Download a split from the hub; BadInput says what to do where that is not possible."""
    hint = f"no folder {directory}; set PEFTCORE_DATA or --data to the directory that has {folder}"
    if hub is None:
        raise BadInput(f"{hint} (it is not on the hub)")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise BadInput(f"{hint} (HF_HUB_OFFLINE is set, so the hub was not asked)")
    if not _reachable():
        raise BadInput(f"{hint} (there is no network to ask the hub for {hub.id})")
    try:
        hub_rows = _download(hub, split)
    except Exception as error:  # the library raises dozens of kinds, and its network layer more
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BadInput(f"{hint} (asking the hub for {hub.id} failed: {reason})") from error
    return [dict(row) for row in hub_rows]


def _reachable() -> bool:
    """Return whether the hub can be reached; the library would try for half a minute."""
    if getproxies():
        return True  # the proxy knows
    address = urlsplit(ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=3):
            return True
    except OSError:
        return False


@lru_cache(maxsize=16)
def _download(hub: HubSource, split: str) -> tuple[Row, ...]:
    """Download the rows of a split, always at the same commit."""
    from datasets import load_dataset

    return tuple(load_dataset(hub.id, hub.config, revision=pinned_commit(hub), split=split))


def pinned_commit(hub: HubSource) -> str:
    """Return the commit that is read: the source's own, or what its branch was when first asked."""
    if COMMIT.fullmatch(hub.revision):
        return hub.revision
    from huggingface_hub import HfApi

    file, key = paths.workspace_folder() / COMMITS_FILE, f"{hub.id}@{hub.revision}"
    known = atomic_files.read_json(file)
    if key not in known:
        found = HfApi().dataset_info(hub.id, revision=hub.revision).sha
        known = {**atomic_files.read_json(file), key: str(found)}
        atomic_files.replace_file(file, json.dumps(known, indent=1, sort_keys=True).encode())
    return str(known[key])
