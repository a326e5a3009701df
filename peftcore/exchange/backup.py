"""A whole workspace as one file, and back: its folders, and every table of its database.

Tables are written row by row as JSON, whatever database they are in, so that a backup of SQLite can
be restored into PostgreSQL and the other way.  Files are copied as they lie, each with its SHA-256;
work that goes on meanwhile is found as lost and can be resumed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.system import atomic_files
from peftcore.system.database import Database

MANIFEST = "manifest.json"
FORMAT = 1
TABLES, FILES = "tables/", "files/"
LEFT_OUT = ("workers",)  # processes of the machine that the backup comes from
DATABASE_FILE = "lab.sqlite"  # and those beside it: its content is in the tables
PASSING = ("lock", "queue.paused")  # files that speak of this moment only
CHUNK = 1 << 20  # bytes
VERSION_TABLE = "rating_version"


@dataclass(frozen=True)
class BackupSummary:
    """Numbers of a backup: of files, their bytes, and rows of the database."""

    files: int
    bytes: int
    rows: int


def write_backup(database: Database, home: Path, out: Path) -> BackupSummary:
    """Write a workspace's database and files to a zip, which gets its name when it is whole."""
    if out.resolve().is_relative_to(home.resolve()):
        raise BadInput("a backup lies outside the workspace; name another place")
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=".backup-", dir=out.parent)  # open to its owner only
    try:
        with os.fdopen(handle, "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
                manifest = _write_members(database, home, target)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(partial, out)
    finally:
        Path(partial).unlink(missing_ok=True)
    return _summary(manifest)


def restore_backup(source: Path, database: Database, home: Path) -> BackupSummary:
    """Restore a backup into an empty workspace and database; all of it, or nothing.

    The tables have to be there, as this version makes them.
    """
    home = home.resolve()
    if home.is_dir() and any(not _is_passing(path) for path in home.rglob("*") if path.is_file()):
        raise BadInput(f"{home} is not empty; set PEFTCORE_HOME to a new folder")
    try:
        archive = zipfile.ZipFile(source)
    except FileNotFoundError:
        raise BadInput(f"there is no file {str(source)[:200]!r}") from None
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput(f"{source.name} is not a backup that can be read: {error}") from None
    home.parent.mkdir(parents=True, exist_ok=True)
    unpacked = Path(tempfile.mkdtemp(prefix=".restore-", dir=home.parent))
    try:
        with archive:
            manifest = _read_manifest(archive)
            for name, digest in manifest["files"].items():
                _unpack(archive, name, digest, unpacked)
            rows = {table: _read_rows(archive, table, manifest) for table in manifest["tables"]}
        _insert(database, rows)
        home.mkdir(mode=0o700, exist_ok=True)
        for path in (unpacked / FILES).glob("*"):
            _merge(path, home / path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeDecodeError) as error:
        raise BadInput(f"{source.name} is damaged: {str(error)[:200]}") from None
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return _summary(manifest)


def _write_members(database: Database, home: Path, target: zipfile.ZipFile) -> dict[str, Any]:
    """Write tables, files and the list of both; return that list."""
    tables: dict[str, dict[str, Any]] = {}
    with database.write(exclusive=True) as connection:  # nobody changes a row meanwhile
        for table in _tables(connection):
            query = sa.select(table).order_by(*table.primary_key.columns)
            rows = [dict(row) for row in connection.execute(query).mappings()]
            content = json.dumps(rows, ensure_ascii=False).encode()
            target.writestr(f"{TABLES}{table.name}.json", content)
            tables[table.name] = {"rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}
    files: dict[str, str] = {}
    size = 0
    for path in sorted(home.rglob("*")):
        if not path.is_file() or path.is_symlink() or _is_passing(path):
            continue
        name = FILES + path.relative_to(home).as_posix()
        try:
            with path.open("rb") as file, target.open(name, "w", force_zip64=True) as member:
                files[name] = _copy(file, member)
        except FileNotFoundError:  # deleted between the list and now
            continue
        size += target.getinfo(name).file_size
    manifest = {"format": FORMAT, "tables": tables, "files": files, "bytes": size}
    target.writestr(MANIFEST, json.dumps(manifest))
    return manifest


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """Return every table that is there, those that others refer to first."""
    found = sa.MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name not in LEFT_OUT]


def _is_passing(path: Path) -> bool:
    """Return whether a file is the database's, or speaks of this moment only."""
    return path.name.startswith(DATABASE_FILE) or path.name in PASSING or path.suffix == ".lock"


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Read the list of what there is; BadInput if it is of another kind or names odd files."""
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        known = manifest["format"] == FORMAT
        names = [*map(str, manifest["files"])]
        complete = bool(manifest["tables"]) and manifest["bytes"] >= 0
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BadInput(f"this zip is not a backup: it has no {MANIFEST} that can be read") from None
    if not known or not complete:
        raise BadInput("this backup was made by a newer version; restore it with that one")
    for name in names:
        parts = PurePosixPath(name).parts
        if not name.startswith(FILES) or ".." in parts or "\\" in name or "\0" in name:
            raise BadInput(f"this backup names a file outside itself: {name[:120]!r}")
        if stat.S_IFMT(archive.getinfo(name).external_attr >> 16) not in (0, stat.S_IFREG):
            raise BadInput(f"this backup holds something that is no ordinary file: {name[:120]!r}")
    return manifest


def _unpack(archive: zipfile.ZipFile, name: str, digest: str, folder: Path) -> None:
    """Unpack one file below a folder; BadInput if it was changed."""
    target = folder / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with archive.open(name) as member, target.open("wb") as file:
        if _copy(member, file) != digest:
            raise BadInput(f"{name[:120]!r} in this backup is damaged")


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy a file in pieces and return its SHA-256."""
    digest = hashlib.sha256()
    while piece := source.read(CHUNK):
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


def _read_rows(
    archive: zipfile.ZipFile, table: str, manifest: dict[str, Any]
) -> list[dict[str, Any]]:
    """Read a table's rows; BadInput if they were changed."""
    content = archive.read(f"{TABLES}{table}.json")
    if hashlib.sha256(content).hexdigest() != manifest["tables"][table]["sha256"]:
        raise BadInput(f"the table {table[:60]!r} in this backup is damaged")
    rows: list[dict[str, Any]] = json.loads(content)
    return rows


def _insert(database: Database, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Put rows into empty tables, in one transaction; BadInput if these are other tables."""
    with database.write(exclusive=True) as connection:
        tables = _tables(connection)
        _check_tables(connection, tables, rows)
        for table in tables:
            if table.name == VERSION_TABLE:
                continue
            for row in _as_values(table, rows.get(table.name, [])):
                connection.execute(sa.insert(table).values(row))
            if not database.is_sqlite:
                _count_on(connection, table)


def _check_tables(
    connection: sa.Connection, tables: list[sa.Table], rows: dict[str, list[dict[str, Any]]]
) -> None:
    """Raise BadInput unless tables are as in the backup, and empty."""
    columns = {table.name: set(table.columns.keys()) for table in tables}
    for name, each in rows.items():
        if name not in columns or (each and not set(each[0]) <= columns[name]):
            raise BadInput(f"this version knows no table {name[:60]!r} as it is in the backup")
    for table in tables:
        found = [dict(row) for row in connection.execute(sa.select(table).limit(1)).mappings()]
        if table.name == VERSION_TABLE:
            if rows.get(VERSION_TABLE) not in (None, [], found):
                raise BadInput(
                    "the ratings in this backup are of another version; restore it with the "
                    "version that wrote it, and then go to the newer one"
                )
        elif found:
            raise BadInput(f"the database is not empty: the table {table.name} has rows")


def _as_values(table: sa.Table, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows as they are inserted: what is missing stays missing, in columns of JSON, too."""
    for row in rows:
        yield {
            name: sa.null() if value is None and table.columns[name].nullable else value
            for name, value in row.items()
        }


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let PostgreSQL number the next row behind those that brought their numbers along."""
    for column in table.primary_key.columns:
        if isinstance(column.type, sa.Integer) and column.autoincrement is True:
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            last = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(
                sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None)))
            )


def _merge(source: Path, target: Path) -> None:
    """Move a file, or all that is in a folder, to its place."""
    if not source.is_dir():
        atomic_files.move_into_place(source, target)
        return
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.iterdir():
        _merge(path, target / path.name)


def _summary(manifest: dict[str, Any]) -> BackupSummary:
    """Count what a backup holds."""
    rows = sum(table["rows"] for table in manifest["tables"].values())
    return BackupSummary(len(manifest["files"]), manifest["bytes"], rows)
