"""A whole project as JSON lines, and back: to move, keep or ship it.

Everything is included: items and their origins, leases, drafts, every rating with its history.
Secrets of links and their ends are not, so raters of a copy need new links; nor are the keys and
languages that raters chose for themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating import bundle_check
from peftcore.rating.access import RatingUser, called, require_experimenter
from peftcore.rating.bundle_check import BundleRow
from peftcore.rating.creation import Project, find_project
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
from peftcore.rating.store import RatingStore
from peftcore.system import rights

OWN_COLUMNS = ("token_hash", "login", "link_until", "preferences")
AUTOINCREMENT_TABLES = (
    "rating_origins",
    "rating_answers",
    "rating_ratings",
    "rating_adjudications",
)


def dump_project(store: RatingStore, user: RatingUser, project: str) -> Iterator[str]:
    """Yield the lines of a project, each table after those it refers to."""
    find_project(store, user, project)
    for table, query in _queries(project):
        for row in store.read(query):
            values = {name: row[name] for name in row if name not in OWN_COLUMNS}
            yield json.dumps({"table": table.name} | values, ensure_ascii=False)


def _queries(project: str) -> Iterator[tuple[sa.Table, sa.Select[Any]]]:
    """Yield each table with the query for the project's rows."""
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


def load_project(
    store: RatingStore, user: RatingUser, lines: Iterable[str], demo: bool = False
) -> Project:
    """Store the project of these lines; one that is there already is left as it is.

    All lines are read and checked before the first is stored. BadInput leaves the store as it was.
    """
    require_experimenter(user)
    rows = [_parse_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    bundle_check.check_rows(rows, OWN_COLUMNS)
    [project] = [row.values["id"] for row in rows if row.table is PROJECTS]
    try:
        with store.write(exclusive=True) as connection:
            existing = sa.select(PROJECTS.c.id).where(PROJECTS.c.id == project)
            is_new = connection.execute(existing).first() is None
            if is_new:
                for table in metadata.sorted_tables:
                    of_table = [row.values for row in rows if row.table is table]
                    _insert_rows(connection, table, of_table, demo)
    except sa.exc.IntegrityError:
        raise BadInput(
            f"rows of project {project!r} have the ids of others that are here already; nothing "
            "was imported. A changed copy of a project needs new ids throughout."
        ) from None
    if is_new and not demo:
        rights.start("import", called(project))
    return find_project(store, user, project)


def _parse_row(number: int, line: str) -> BundleRow:
    """Parse a line to its table and row; BadInput if it is neither."""
    try:
        row = json.loads(line)
        table = metadata.tables[row.pop("table")]
    except (ValueError, KeyError, AttributeError):
        raise BadInput(f"line {number} is not a row of a rating bundle") from None
    unknown = row.keys() - table.c.keys()
    if unknown:
        raise BadInput(f"line {number} has the field {sorted(unknown)[0]!r}, which no table knows")
    return BundleRow(number, table, row)


def _insert_rows(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], demo: bool
) -> None:
    """Insert a table's rows; those that supersede others come after them, renumbered."""
    if table is PROJECTS:
        rows = [row | {"demo": demo} for row in rows]
    if table.name not in AUTOINCREMENT_TABLES:
        if rows:
            connection.execute(sa.insert(table), rows)
        return
    # Number of a row in the bundle → in this database.
    new_id_by_old: dict[int | None, int | None] = {None: None}
    while rows:
        ready = [row for row in rows if row.get("supersedes") in new_id_by_old]
        if not ready:
            raise BadInput(f"a row of {table.name} supersedes one that is not in the bundle")
        rows = [row for row in rows if row.get("supersedes") not in new_id_by_old]
        values = [{name: row[name] for name in row if name != "id"} for row in ready]
        for row in values:
            if "supersedes" in row:
                row["supersedes"] = new_id_by_old[row["supersedes"]]
        insert = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
        new_ids = connection.execute(insert, values).scalars().all()
        new_id_by_old |= dict(zip((row["id"] for row in ready), new_ids, strict=True))
