"""A private PostgreSQL server for tests, deleted afterwards; on the path or where Debian has it.

One server for all test files, and a database of its own for each.
"""

import atexit
import functools
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres():
    """Return the address of a new, empty database."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: no initdb on the path or in /usr/lib/postgresql")
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    server = start()
    name = f"test{next(_numbers)}"
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server}/{name}"


def programs():
    """Return the folder of initdb and pg_ctl, the newest version; None without PostgreSQL."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@functools.cache
def start():
    """Start a server that ends with this process; another user runs it, since root may not."""
    folder = tempfile.mkdtemp(prefix="pg")
    run_as = {"user": "postgres", "cwd": folder} if os.geteuid() == 0 else {"cwd": folder}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = f"{folder}/data"
    options = f"-p {port} -c unix_socket_directories={folder} -c fsync=off"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, **run_as}
    encoding = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([programs() / "initdb", "-D", data, *encoding], **quiet)
    control = [programs() / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], **quiet)
    atexit.register(shutil.rmtree, folder)  # runs after what is registered below
    atexit.register(subprocess.run, [*control, "-m", "immediate", "stop"], **quiet)
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}"
