"""A base as the reader of an own table: how many positions a row takes, what it cannot write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from peftcore.data.table_checks import MappedRow, Reader
from peftcore.data.task import SEPARATOR, Example

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


def reader_of_base(base: BaseModel, labels: Sequence[str]) -> Reader:
    """Return a base as the reader of a table with these labels."""
    from peftcore.models.batching import ExampleBatcher

    batcher = ExampleBatcher(base, labels)

    def positions(row: MappedRow) -> int:
        because = f"{SEPARATOR}{row.explanation}" if row.explanation else ""
        label = row.target if row.target in labels else None
        example = Example(
            id=row.source,
            source=row.source,
            target=row.target + because,
            label=label,
            parts=row.parts,
        )
        return batcher.positions(example)

    return Reader(base.name, base.structure.window, positions, batcher.unwritable_labels())
