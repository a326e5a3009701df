"""The command `bench`: its parts are the files of peftcore/benchmarks."""

from __future__ import annotations

import importlib
import pkgutil

from peftcore import benchmarks
from peftcore.benchmarks.common import bench
from peftcore.cli import app

for _file in pkgutil.iter_modules(benchmarks.__path__):
    if _file.name.startswith("bench_"):
        importlib.import_module(f"{benchmarks.__name__}.{_file.name}")

app.add_typer(bench, name="bench", help="Time a quicker way of computing against the plain one.")
