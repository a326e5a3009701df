"""Read what a GGUF file says of itself, and its tensors, without trusting a count in it.

The format: a magic number, a version, how many tensors and fields there are, the fields (key, type,
value), the tensors (name, shape, type, offset), and the numbers, aligned. Every length is compared
with what is left of the file before anything is allocated. How quantised blocks are unpacked is
the `gguf` package's part. Its own reader is not used: it follows any count, and takes seconds.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from peftcore.errors import BadInput

T = TypeVar("T")
VERSIONS = (2, 3)
MAX_FIELDS, MAX_TENSORS = 10_000, 100_000
MAX_ITEMS = 4_000_000  # in all lists together; a vocabulary of 256,000 words needs about a million
MAX_DIMENSIONS = 4
STRING, LIST = 8, 9  # the two kinds of values that are no numbers
NUMBER_FORMATS = {
    **{0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"},
    **{10: "Q", 11: "q", 12: "d"},
}
TYPE_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


@dataclass(frozen=True)
class GgufTensor:
    """One tensor as it is stored: rows of blocks, `offset` bytes from the file's beginning."""

    name: str
    shape: tuple[int, ...]  # as torch counts, the last one varies fastest
    kind: GGMLQuantizationType
    offset: int
    row_bytes: int

    @property
    def rows(self) -> int:
        """Return how many rows there are; a vector is one row."""
        return math.prod(self.shape[:-1])


@dataclass(frozen=True)
class GgufHeader:
    """Fields and tensors of a file; lists are Python lists."""

    path: Path
    fields: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return a field; BadInput if it is missing without a default, or of another type."""
        value = self.fields.get(key, default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            found = "is missing" if value is None else f"is {str(value)[:60]!r}"
            raise BadInput(f"{self.path.name}: {key} must be {TYPE_WORDS[kind]}, and {found}")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a field that is a list of texts; BadInput if it is missing or no such list."""
        values = self.fields.get(key)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise BadInput(f"{self.path.name}: {key} must be a list of texts")
        return values


class _Cursor:
    """Reads one value after another, never past the end of the file."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self.data, self.name, self.at, self.items = data, name, 0, 0

    def _take(self, count: int) -> int:
        """Move on by so many bytes and return where they begin; BadInput past the end."""
        begin = self.at
        if count > len(self.data) - begin:
            raise BadInput(
                f"{self.name} is cut off or damaged: at byte {begin:,} it announces {count:,} "
                f"bytes, and {len(self.data) - begin:,} are left; fetch it again"
            )
        self.at += count
        return begin

    def number(self, letter: str) -> Any:
        """Read a number of a format letter of `struct`, little-endian."""
        form = f"<{letter}"
        return struct.unpack_from(form, self.data, self._take(struct.calcsize(form)))[0]

    def text(self) -> str:
        """Read a text after its length."""
        length = self.number("Q")
        begin = self._take(length)
        try:
            return self.data[begin : begin + length].decode()
        except UnicodeDecodeError:
            raise BadInput(f"{self.name} is damaged: no UTF-8 text at byte {begin:,}") from None

    def value(self, kind: int) -> Any:
        """Read a value of a kind."""
        if kind == STRING:
            return self.text()
        if kind == LIST:
            return self._list()
        if kind not in NUMBER_FORMATS:
            raise BadInput(f"{self.name} has a field of unknown type {kind} at byte {self.at:,}")
        return self.number(NUMBER_FORMATS[kind])

    def _list(self) -> list[Any]:
        kind, count = self.number("I"), self.number("Q")
        self.items += count
        if self.items > MAX_ITEMS:
            raise BadInput(
                f"{self.name} announces lists of {self.items:,} items; at most {MAX_ITEMS:,} are "
                "read"
            )
        if kind == STRING:
            return [self.text() for _ in range(count)]
        if kind not in NUMBER_FORMATS:
            raise BadInput(f"{self.name} has a list of unknown type {kind} at byte {self.at:,}")
        form = f"<{count}{NUMBER_FORMATS[kind]}"
        return list(struct.unpack_from(form, self.data, self._take(struct.calcsize(form))))


def read_header(path: Path) -> GgufHeader:
    """Read fields and tensors of a GGUF file that are true of its size; BadInput otherwise."""
    if not path.is_file():
        raise BadInput(f"there is no file {path.name!r} at {path.parent}")
    if path.stat().st_size < 24:
        raise BadInput(f"{path.name} is no GGUF file: it has {path.stat().st_size} bytes")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = _Cursor(data, path.name)
        if data[cursor._take(4) : 4] != b"GGUF":
            raise BadInput(f"{path.name} is no GGUF file: it begins with {data[:4]!r}")
        version = cursor.number("I")
        if version not in VERSIONS:
            raise BadInput(
                f"{path.name} is GGUF of version {version}; versions {VERSIONS[0]} and "
                f"{VERSIONS[1]} in little-endian order are read"
            )
        tensor_count, field_count = cursor.number("Q"), cursor.number("Q")
        if tensor_count > MAX_TENSORS or field_count > MAX_FIELDS:
            raise BadInput(
                f"{path.name} announces {tensor_count:,} tensors and {field_count:,} fields; at "
                f"most {MAX_TENSORS:,} and {MAX_FIELDS:,} are read"
            )
        fields: dict[str, Any] = {}
        for _ in range(field_count):
            key = cursor.text()
            if key in fields:
                raise BadInput(f"{path.name} has the field {key[:80]!r} twice")
            fields[key] = cursor.value(cursor.number("I"))
        tensors = _read_tensors(cursor, tensor_count, fields.get("general.alignment", 32))
    return GgufHeader(path, fields, tensors)


def _read_tensors(cursor: _Cursor, count: int, alignment: Any) -> dict[str, GgufTensor]:
    """Read the list of tensors; each must lie within the file."""
    if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
        raise BadInput(f"{cursor.name}: general.alignment must be a power of two; got {alignment}")
    described = []
    for _ in range(count):
        name, dimensions = cursor.text(), cursor.number("I")
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise BadInput(f"{cursor.name}: tensor {name[:80]!r} has {dimensions} dimensions")
        sides = tuple(cursor.number("Q") for _ in range(dimensions))[::-1]
        described.append((name, sides, cursor.number("I"), cursor.number("Q")))
    begin = -(-cursor.at // alignment) * alignment
    tensors: dict[str, GgufTensor] = {}
    for name, shape, kind, offset in described:
        tensor = _make_tensor(cursor.name, name, shape, kind, begin + offset)
        if tensor.offset + tensor.rows * tensor.row_bytes > len(cursor.data):
            raise BadInput(
                f"{cursor.name} is cut off: tensor {name[:80]!r} of shape {list(shape)} ends past "
                f"its {len(cursor.data):,} bytes; fetch it again"
            )
        if name in tensors:
            raise BadInput(f"{cursor.name} has the tensor {name[:80]!r} twice")
        tensors[name] = tensor
    return tensors


def _make_tensor(
    file: str, name: str, shape: tuple[int, ...], kind: int, offset: int
) -> GgufTensor:
    """Describe a tensor; BadInput for a type that nobody knows or rows of broken blocks."""
    try:
        known = GGMLQuantizationType(kind)
    except ValueError:
        raise BadInput(f"{file}: tensor {name[:80]!r} is of unknown type {kind}") from None
    block, block_bytes = GGML_QUANT_SIZES[known]
    if 0 in shape or shape[-1] % block:
        raise BadInput(
            f"{file}: tensor {name[:80]!r} of shape {list(shape)} does not divide into blocks of "
            f"{block} numbers, as {known.name} has them"
        )
    return GgufTensor(name, shape, known, offset, shape[-1] // block * block_bytes)


def refuse_unreadable_types(header: GgufHeader) -> None:
    """Raise BadInput if a tensor is quantised in a way that cannot be undone."""
    for kind in sorted({tensor.kind for tensor in header.tensors.values()}):
        try:
            gguf.dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
        except NotImplementedError:
            raise BadInput(
                f"{header.path.name} has tensors of type {kind.name}, which cannot be turned into "
                "numbers again; take the file in another type, such as Q8_0 or Q4_1"
            ) from None


def read_rows(header: GgufHeader, tensor: GgufTensor, first: int, last: int) -> np.ndarray:
    """Return rows first to last - 1 of a tensor in single precision, (rows, columns)."""
    with header.path.open("rb") as file:
        file.seek(tensor.offset + first * tensor.row_bytes)
        stored = file.read((last - first) * tensor.row_bytes)
    blocks = np.frombuffer(stored, np.uint8).reshape(last - first, tensor.row_bytes)
    return np.asarray(gguf.dequantize(blocks, tensor.kind), np.float32)
