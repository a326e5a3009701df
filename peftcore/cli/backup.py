"""The commands `backup` and `restore`: a whole workspace as one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peftcore import paths
from peftcore.cli import app
from peftcore.exchange import backup as whole
from peftcore.rating.store import RatingStore
from peftcore.system import printing, rights
from peftcore.system.database import Database


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write.")],
    as_json: printing.AsJson = False,
) -> None:
    """Write the whole workspace to one file: runs, tables, jobs, ratings, and added bases.

    The database is part of it, SQLite or PostgreSQL. Workers may go on meanwhile.
    """
    rights.administer("back up", "the workspace")
    database = _open_database()
    done = whole.write_backup(database, paths.workspace_folder(), paths.expand(out))
    database.close()
    line = f"{out}: {done.files:,} files, {done.bytes:,} bytes, {done.rows:,} rows of the database"
    printing.print_result(asdict(done) | {"file": str(out)}, as_json, lambda: iter([line]))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` wrote.")],
    as_json: printing.AsJson = False,
) -> None:
    """Restore a backup into an empty workspace; PEFTCORE_HOME and PEFTCORE_DATABASE say where.

    From SQLite to PostgreSQL: back up, set PEFTCORE_DATABASE and a new PEFTCORE_HOME, restore.
    """
    rights.administer("restore", "the workspace")
    database = _open_database()
    home = paths.workspace_folder()
    done = whole.restore_backup(paths.expand(source), database, home)
    database.close()
    line = f"{home}: {done.files:,} files and {done.rows:,} rows of the database are back"
    printing.print_result(asdict(done) | {"home": str(home)}, as_json, lambda: iter([line]))


def _open_database() -> Database:
    """Open the database with every table in it: those of the ratings, too."""
    RatingStore().close()
    return Database()
