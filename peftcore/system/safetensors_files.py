"""Check a safetensors file before any tensor is made of it.

The format is a length, a JSON header of that length, and numbers. A foreign file can be wrong in
all three: a length of gigabytes, shapes of gigabytes, tensors that overlap or are missing. All is
compared with the file's size first. Pickles are refused: reading one runs it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEADER_BYTES = 16_000_000  # bytes; a model of ten thousand tensors needs about one million
MAX_TENSORS = 100_000
WEIGHT_TYPES = ("float32", "float16", "bfloat16", "float64")
BYTES_PER_NUMBER = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
}
BYTES_PER_NUMBER |= {"BOOL": 1}
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True)
class Header:
    """Tensor names with shapes, and the notes of a file."""

    shapes: Mapping[str, tuple[int, ...]]
    notes: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read the header of a file if it is true of the file's size; BadInput says what is wrong."""
    if not path.is_file():
        raise BadInput(f"there is no file {path.name} in {path.parent.name}")
    size = path.stat().st_size
    with path.open("rb") as file:
        start, first_byte = file.read(8), file.read(1)
        pickled = first_byte != b"{" and start.startswith((b"\x80", b"PK\x03\x04"))
        if path.suffix in PICKLE_SUFFIXES or pickled:
            raise BadInput(
                f"{path.name} is a pickle, which runs code when it is read; "
                "only safetensors files are: save it again with safe serialisation"
            )
        length = int.from_bytes(start, "little")
        if first_byte != b"{" or length > size - 8:
            raise BadInput(
                f"{path.name} is cut off or not a safetensors file: its header is said to take "
                f"{length:,} bytes, and the file has {size:,}"
            )
        if length > MAX_HEADER_BYTES:
            raise BadInput(
                f"the header of {path.name} takes {length:,} bytes; at most {MAX_HEADER_BYTES:,} "
                "are read"
            )
        return _parse_header(path.name, first_byte + file.read(length - 1), size - 8 - length)


def _parse_header(name: str, text: bytes, data_bytes: int) -> Header:
    """Parse a header that must describe exactly `data_bytes`, in order, without overlap."""
    try:
        entries = json.loads(text, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the header of {name} cannot be read: {error}") from None
    if not isinstance(entries, dict) or len(entries) > MAX_TENSORS:
        raise BadInput(f"the header of {name} is no list of at most {MAX_TENSORS:,} tensors")
    notes = entries.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise BadInput(f"the notes in the header of {name} are not texts")
    shapes, spans = {}, []
    for tensor, entry in entries.items():
        shapes[tensor], span = _parse_entry(name, tensor, entry, data_bytes)
        spans.append(span)
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            raise BadInput(f"the tensors of {name} overlap or leave gaps at byte {reached:,}")
        reached = end
    if reached != data_bytes:
        raise BadInput(
            f"{name} is cut off or has something behind its tensors: they take {reached:,} bytes "
            f"and {data_bytes:,} are there"
        )
    return Header(shapes, notes)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; ValueError if a name occurs twice: readers could differ on it."""
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a name stands there twice")
    return entries


def _parse_entry(
    name: str, tensor: str, entry: Any, data_bytes: int
) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the shape, and the first and last byte, of one tensor."""
    malformed = BadInput(f"the header of {name} describes tensor {tensor[:80]!r} in no known way")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise malformed
    shape, offsets = entry["shape"], entry["data_offsets"]
    if (
        entry["dtype"] not in BYTES_PER_NUMBER
        or not _is_size_list(shape, 8)
        or not _is_size_list(offsets, 2)
    ):
        raise malformed
    if len(offsets) != 2:
        raise malformed
    needed = math.prod(shape) * BYTES_PER_NUMBER[entry["dtype"]]
    if needed > data_bytes:
        raise BadInput(
            f"tensor {tensor[:80]!r} of {name} claims shape {shape}, which takes {needed:,} bytes; "
            f"the file has {data_bytes:,}"
        )
    if offsets[1] - offsets[0] != needed:
        raise BadInput(f"tensor {tensor[:80]!r} of {name} has not the size its shape {shape} asks")
    return tuple(shape), (offsets[0], offsets[1])


def _is_size_list(value: Any, max_length: int) -> bool:
    """Return whether this is a short list of whole numbers that are not negative."""
    fit = isinstance(value, list) and len(value) <= max_length
    return fit and all(type(v) is int and 0 <= v < 2**63 for v in value)


def read_tensors(path: Path, expected_names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Load every tensor of a checked file, name → tensor (…) of any shape, e.g. (s, v, …).

    With `expected_names`, BadInput if there are others or too few.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    present = set(read_header(path).shapes)
    if expected_names is not None and present != (expected := set(expected_names)):
        raise BadInput(describe_differences(path.name, present, expected))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadInput(f"{path.name} cannot be read: {error}") from None


def read_weights(path: Path, expected_names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Load tensors (d, …) of a checked file as `read_tensors`; BadInput if one is no weight."""
    tensors = read_tensors(path, expected_names)
    for name, tensor in tensors.items():
        refuse_odd_numbers(path.name, name, tensor)
    return tensors


def refuse_odd_numbers(file: str, name: str, tensor: Tensor) -> None:
    """Raise BadInput unless a tensor (d, …) holds finite numbers of a type that adapters have.

    A type of eight bits or fewer needs a scale that the file does not hold, whole numbers are no
    weights but positions, and one value that is no number makes every answer none.
    """
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in WEIGHT_TYPES:
        raise BadInput(
            f"tensor {name[:80]!r} of {file} is of type {kind}; adapters are of "
            f"{', '.join(WEIGHT_TYPES)}: save it in one of these"
        )
    if odd := int((~tensor.isfinite()).sum()):
        raise BadInput(
            f"tensor {name[:80]!r} of {file} holds {odd:,} of {tensor.numel():,} values that are "
            "nan or infinite: the training that made it diverged, or the file is damaged"
        )


def describe_differences(name: str, present: set[str], expected: set[str]) -> str:
    """Describe which tensors of a file are unknown and which are missing, a few by name."""
    problems = []
    for what, names in (
        ("does not belong there", present - expected),
        ("is missing", expected - present),
    ):
        if names:
            first = ", ".join(repr(t[:80]) for t in sorted(names)[:3])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            problems.append(f"{first}{more} {what}")
    return f"{name} does not hold the tensors it should: {'; '.join(problems)}"
