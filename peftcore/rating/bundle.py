"""A whole project as JSON lines, and back: to move it, to keep it, to ship it.

Everything goes along: items and whose they are, leases, drafts, every rating with its history.
Secrets of links and their ends do not, so raters of a copy need new links.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating.access import Actor, require_experimenter
from peftcore.rating.creation import Project, find
from peftcore.rating.schema import (
    ADJUDICATIONS,
    ANSWERS,
    DRAFTS,
    ITEMS,
    LEASES,
    ORIGINS,
    PROJECTS,
    RATERS,
    RATINGS,
    metadata,
)
from peftcore.rating.store import Book

KEPT_BACK = ("token_hash", "login", "link_until")
COUNTED = ("rating_origins", "rating_answers", "rating_ratings", "rating_adjudications")


def dump(book: Book, who: Actor, project: str) -> Iterator[str]:
    """The lines of a project, each table after those it refers to."""
    find(book, who, project)
    for table, query in _queries(project):
        for row in book.read(query):
            values = {name: row[name] for name in row if name not in KEPT_BACK}
            yield json.dumps({"table": table.name} | values, ensure_ascii=False)


def _queries(project: str) -> Iterator[tuple[sa.Table, sa.Select[Any]]]:
    yield PROJECTS, sa.select(PROJECTS).where(PROJECTS.c.id == project)
    yield ITEMS, sa.select(ITEMS).where(ITEMS.c.project == project).order_by(ITEMS.c.number)
    for table in (ORIGINS, ADJUDICATIONS):
        joined = sa.select(table).join(ITEMS, ITEMS.c.id == table.c.item)
        yield table, joined.where(ITEMS.c.project == project).order_by(table.c.id)
    yield RATERS, sa.select(RATERS).where(RATERS.c.project == project).order_by(RATERS.c.created)
    leases = sa.select(LEASES).where(LEASES.c.project == project)
    yield LEASES, leases.order_by(LEASES.c.rater, LEASES.c.position)
    for table in (DRAFTS, ANSWERS, RATINGS):
        joined = sa.select(table).join(LEASES, LEASES.c.id == table.c.lease)
        order = table.c.at if table is DRAFTS else table.c.id
        yield table, joined.where(LEASES.c.project == project).order_by(order)


def load(book: Book, who: Actor, lines: Iterable[str], demo: bool = False) -> Project:
    """Store the project of these lines; one that is there already is left as it is."""
    require_experimenter(who)
    rows = [_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    heads = [row["id"] for table, row in rows if table is PROJECTS]
    if len(heads) != 1:
        raise BadInput(f"a bundle holds one project; this one holds {len(heads)}")
    with book.write(exclusive=True) as connection:
        known = sa.select(PROJECTS.c.id).where(PROJECTS.c.id == heads[0])
        if connection.execute(known).first() is None:
            for table in metadata.sorted_tables:
                _insert(connection, table, [row for of, row in rows if of is table], demo)
    return find(book, who, heads[0])


def _row(number: int, line: str) -> tuple[sa.Table, dict[str, Any]]:
    try:
        row = json.loads(line)
        table = metadata.tables[row.pop("table")]
    except (ValueError, KeyError, AttributeError):
        raise BadInput(f"line {number} is not a row of a rating bundle") from None
    unknown = row.keys() - table.c.keys()
    if unknown:
        raise BadInput(f"line {number} has the field {sorted(unknown)[0]!r}, which no table knows")
    return table, row


def _insert(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], demo: bool
) -> None:
    """All rows of a table; those that supersede others come after them, under new numbers."""
    if table is PROJECTS:
        rows = [row | {"demo": demo} for row in rows]
    if table.name not in COUNTED:
        if rows:
            connection.execute(sa.insert(table), rows)
        return
    numbers: dict[int | None, int | None] = {None: None}  # number in the old book → in this one
    while rows:
        ready = [row for row in rows if row.get("supersedes") in numbers]
        if not ready:
            raise BadInput(f"a row of {table.name} supersedes one that is not in the bundle")
        rows = [row for row in rows if row.get("supersedes") not in numbers]
        values = [{name: row[name] for name in row if name != "id"} for row in ready]
        for row in values:
            if "supersedes" in row:
                row["supersedes"] = numbers[row["supersedes"]]
        insert = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
        made = connection.execute(insert, values).scalars().all()
        numbers |= dict(zip((row["id"] for row in ready), made, strict=True))
