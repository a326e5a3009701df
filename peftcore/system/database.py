"""The database of the queue, of owners and of acts: SQLite in the workspace, or what
PEFTCORE_DATABASE names.

Readers of SQLite must not start a transaction that later writes: two of them would hand out one job
twice. So every writing transaction begins with the write lock (`BEGIN IMMEDIATE`), and reading goes
through a second engine that takes none. PostgreSQL gets an advisory lock where the whole table
matters and row locks elsewhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from peftcore import paths
from peftcore.errors import BadInput

PRAGMAS = ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")
ADVISORY_LOCK_ID = 7_353_001  # any number, the same for everybody who uses this database

metadata = sa.MetaData()

JOBS = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String, nullable=False, server_default="train"),
    sa.Column("run_id", sa.String(12), nullable=False, index=True),  # the job's id, of any kind
    sa.Column("spec", sa.JSON, nullable=False),  # the request
    sa.Column("data", sa.String, nullable=False),  # the folder of data sets it was submitted with
    sa.Column("device", sa.String, nullable=False),  # or the lane of jobs that are commands
    sa.Column("state", sa.String, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("pid", sa.Integer),
    sa.Column("process_started", sa.Float),
    sa.Column("token", sa.String),
    sa.Column("host", sa.String),
    sa.Column("heartbeat", sa.Float),
    sa.Column("cancel", sa.Boolean, nullable=False, default=False),  # read by earlier versions
    sa.Column("message", sa.String, nullable=False, default=""),
    sqlite_autoincrement=True,  # a number is never used again
)
WORKERS = sa.Table(
    "workers",
    metadata,
    sa.Column("host", sa.String, primary_key=True),
    sa.Column("device", sa.String, primary_key=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_started", sa.Float, nullable=False),
    sa.Column("token", sa.String, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
)

OWNERS = sa.Table(
    "owners",
    metadata,
    sa.Column("object", sa.String(120), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)
AUDIT = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("act", sa.String(80), nullable=False),
    sa.Column("object", sa.String(120), nullable=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,  # a number is never used again
)
_KEPT = "the audit log is only added to"
for _act in ("UPDATE", "DELETE"):
    event.listen(
        AUDIT,
        "after_create",
        sa.DDL(
            f"CREATE TRIGGER audit_{_act.lower()} BEFORE {_act} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        ).execute_if(dialect="sqlite"),
    )
event.listen(
    AUDIT,
    "after_create",
    sa.DDL(
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$; "
        "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_is_kept()"
    ).execute_if(dialect="postgresql"),
)


def _add_unique_index(name: str, *columns: sa.Column[Any], states: tuple[str, ...]) -> None:
    """Make the database itself refuse two jobs of one run, as a second defence."""
    where = JOBS.c.state.in_(states)
    sa.Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


_add_unique_index("one_job_of_a_run", JOBS.c.run_id, states=("queued", "running"))
_add_unique_index("one_job_on_a_device", JOBS.c.host, JOBS.c.device, states=("running",))


def database_url() -> str:
    """Return the queue's address: PEFTCORE_DATABASE, otherwise a file in the workspace."""
    return (
        os.environ.get("PEFTCORE_DATABASE")
        or f"sqlite:///{paths.workspace_folder() / 'lab.sqlite'}"
    )


class Database:
    """Two engines on one address, one for writing and one that only reads."""

    def __init__(self, url: str | None = None) -> None:
        """Connect and create missing tables; BadInput if the database cannot be used."""
        self.url = url or database_url()
        self._writer = _create_engine(self.url)
        self._reader = _create_engine(self.url)
        self.is_sqlite = self._writer.dialect.name == "sqlite"
        if self.is_sqlite:
            for engine in (self._writer, self._reader):
                event.listen(engine, "connect", _set_pragmas)
            event.listen(self._writer, "begin", _begin_immediate)
        try:
            _retry_while_locked(self._create)
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise BadInput(
                f"the database {_without_password(self.url)} cannot be used: {reason}"
            ) from None

    def _create(self) -> None:
        """Create the tables that are missing."""
        with self.write(exclusive=True) as connection:
            metadata.create_all(connection)
            columns = {column["name"] for column in sa.inspect(connection).get_columns("jobs")}
            if "kind" not in columns:  # made when the queue held training runs only
                connection.exec_driver_sql(
                    "ALTER TABLE jobs ADD COLUMN kind VARCHAR NOT NULL DEFAULT 'train'"
                )

    @contextmanager
    def write(self, exclusive: bool = False) -> Iterator[sa.Connection]:
        """Open a writing transaction; with `exclusive` no other such transaction overlaps."""
        with self._writer.begin() as connection:
            if exclusive and not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK_ID)))
            yield connection

    def read(self, query: sa.Select[Any], **values: Any) -> list[sa.RowMapping]:
        """Return the rows of a query with its parameters, without making writers wait."""
        with self.read_only() as connection:
            return list(connection.execute(query, values).mappings())

    @contextmanager
    def read_only(self) -> Iterator[sa.Connection]:
        """Open a connection for several queries that never write."""
        with self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._writer.dispose()
        self._reader.dispose()


def _create_engine(url: str) -> sa.Engine:
    """Create an engine; BadInput if the address or its driver is unknown."""
    try:
        return sa.create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"the database {_without_password(url)} cannot be used: {reason}") from None


def _without_password(url: str) -> str:
    """Return a database address without user and password."""
    return repr(url.split("@")[-1][:200])  # never the password


def _set_pragmas(connection: Any, _record: Any) -> None:
    """Prepare a new SQLite connection."""
    connection.isolation_level = None  # the driver must not begin transactions on its own
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """Begin a SQLite transaction with the write lock."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _retry_while_locked(action: Callable[[], None], timeout: float = 30.0) -> None:
    """Retry while the file is locked: the change to WAL does not wait by itself."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return action()
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
