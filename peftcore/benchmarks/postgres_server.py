"""A private PostgreSQL server for tests and campaigns: started on first use, deleted afterwards."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_numbers = itertools.count(1)


def reason_without() -> str:
    """Return why no server can be started here; empty if one can."""
    if _programs() is None:
        return "PostgreSQL is not installed: no initdb on the path or in /usr/lib/postgresql"
    if importlib.util.find_spec("psycopg") is None:
        return "the driver psycopg is not installed"
    return ""


def new_database() -> str:
    """Return the address of a new, empty database; one server serves all of a process."""
    server = _start()
    name = f"test{next(_numbers)}"
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server}/{name}"


def _programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, the newest version; None without PostgreSQL."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@functools.cache
def _start() -> str:
    """Start a server that ends with this process; another user runs it, since root may not."""
    programs = _programs()
    assert programs is not None
    folder = tempfile.mkdtemp(prefix="pg")
    run_as: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        run_as["user"] = "postgres"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = f"{folder}/data"
    options = f"-p {port} -c unix_socket_directories={folder} -c fsync=off"
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, **run_as}
    encoding = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([programs / "initdb", "-D", data, *encoding], **quiet)
    control = [str(programs / "pg_ctl"), "-D", data, "-w"]
    subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], **quiet)
    atexit.register(shutil.rmtree, folder)  # runs after what is registered below
    atexit.register(lambda: subprocess.run([*control, "-m", "immediate", "stop"], **quiet))
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}"
