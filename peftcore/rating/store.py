"""The rating store: the database of ratings, migrated when it is opened.

It shares the address of the job queue (SQLite in the workspace, or what PEFTCORE_DATABASE names)
and its way of writing. Human work cannot be repeated, so on SQLite every commit reaches the disk.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from filelock import FileLock
from sqlalchemy import event

from peftcore.errors import BadInput
from peftcore.rating.schema import PROJECTS
from peftcore.system import rights
from peftcore.system.database import Database

REVISION = "0003"  # the newest of migrations/versions; a test holds it so
TURN_POLL_SECONDS = 0.005  # between two checks whether another process is writing
VERSION_TABLE = "rating_version"  # the table in which the database keeps its own


class RatingStore(Database):
    """Projects, items, raters and their ratings.

    `clock` returns epoch seconds and `new_id` makes random ids: a link's secret is separate, but an
    id that carries no order cannot give a method away either.
    """

    def __init__(
        self,
        url: str | None = None,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Open the database and migrate it to the newest step."""
        self.clock, self.new_id = clock, new_id
        self._own_turn = threading.Lock()
        super().__init__(url)

    @contextmanager
    def write(self, exclusive: bool = False) -> Iterator[sa.Connection]:
        """Open a writing transaction; on SQLite raters queue for it.

        SQLite's own waiting looks again every tenth of a second, so that one of many could wait
        until its timeout.
        """
        rights.refuse_viewers()
        with self._write_lock(), super().write(exclusive) as connection:
            yield connection

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Wait for this process's, then this file's turn to write."""
        if not self.is_sqlite:
            yield
            return
        # The threads of a process queue among themselves, so that only one of them polls the
        # file again and again; releasing it, or dying, lets the next process in.
        turn = FileLock(f"{self._writer.url.database}-turn", poll_interval=TURN_POLL_SECONDS)
        with self._own_turn, turn:
            yield

    def _create(self) -> None:
        """Migrate the tables if they are not at the newest step."""
        if self.is_sqlite:
            event.listen(self._writer, "connect", _set_synchronous_full)
        if self._revision() != REVISION:
            self._upgrade()

    def _revision(self) -> str | None:
        """Return the step that the tables are at; None if there are none."""
        with self._reader.connect() as connection:
            if not sa.inspect(connection).has_table(VERSION_TABLE):
                return None
            version = sa.table(VERSION_TABLE, sa.column("version_num"))
            return connection.execute(sa.select(version.c.version_num)).scalar()

    def _upgrade(self) -> None:
        """Migrate to the newest step; BadInput if the tables are newer than this version."""
        settings = Config()
        settings.set_main_option("script_location", "peftcore.rating:migrations")
        with self.write(exclusive=True) as connection:
            settings.attributes["connection"] = connection
            try:
                command.upgrade(settings, "head")
            except CommandError:
                raise BadInput(
                    f"the ratings in this database are at step {self._revision()!r}, which this "
                    f"version does not know; it knows {REVISION}. Use the newer version"
                ) from None

    def lock_project(self, connection: sa.Connection, project: str) -> sa.RowMapping:
        """Return a project's row, locked against other writers until the transaction ends."""
        query = sa.select(PROJECTS).where(PROJECTS.c.id == project).with_for_update()
        return require_row(connection.execute(query).mappings().first(), "project", project)

    def first_row(self, query: sa.Select[Any]) -> sa.RowMapping | None:
        """Return the first row of a query, or None."""
        rows = self.read(query.limit(1))
        return rows[0] if rows else None


def require_row(row: sa.RowMapping | None, what: str, name: str) -> sa.RowMapping:
    """Return the row; BadInput if it is None.

    Rows that do not exist and rows that the user may not see give the same message.
    """
    if row is None:
        raise BadInput(f"no {what} {name[:40]!r} that is yours to see")
    return row


def _set_synchronous_full(connection: Any, _record: Any) -> None:
    """Make every commit reach the disk."""
    connection.execute("PRAGMA synchronous=FULL")
