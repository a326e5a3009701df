"""`bench again`: run kept benchmarks anew by their own commands, on a free machine or a busy one.

What a file of assets/benchmarks says of how it was made is what is run. A file is replaced as a
whole once its command has printed its result; a command that fails leaves the old file.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.benchmarks.bench_report import BUSY_FOLDER, FOLDER, write_report
from peftcore.benchmarks.common import bench
from peftcore.errors import BadInput, unknown_name
from peftcore.system import atomic_files

REPORT = paths.ROOT / "BENCHMARKS.md"
LONG = "soak"  # campaigns of many minutes, which run when they are named
SPIN = "while True: pass"


@bench.command("again")
def measure_again(
    names: Annotated[
        list[str] | None, typer.Argument(help="Files, such as seeds or soak-runs; else all others.")
    ] = None,
    busy: Annotated[
        bool, typer.Option("--busy", help="With a process beside it that computes all the time.")
    ] = False,
    folder: Annotated[
        Path, typer.Option(file_okay=False, help="Folder with NAME.json of each benchmark.")
    ] = FOLDER,
    out: Annotated[Path, typer.Option(dir_okay=False, help="Page to write at the end.")] = REPORT,
) -> None:
    """Run kept benchmarks again by their own commands, and write the page."""
    commands = kept_commands(folder)
    for name in names or ():
        if name not in commands:
            raise unknown_name("benchmark", name, commands)
    chosen = names or [name for name in commands if not name.startswith(LONG)]
    target = folder / BUSY_FOLDER if busy else folder
    target.mkdir(exist_ok=True)
    failed = []
    with spinning_process() if busy else nullcontext():
        for name in chosen:
            typer.echo(f"{name}: python -m peftcore {shlex.join(commands[name])}", err=True)
            try:
                result = run_command(commands[name])
            except BadInput as error:
                typer.echo(f"{name}: {error}", err=True)
                failed.append(name)
                continue
            text = json.dumps(result, ensure_ascii=False) + "\n"
            atomic_files.replace_file(target / f"{name}.json", text.encode())
    write_report(folder, out)
    if failed:
        raise BadInput(f"no new result of {', '.join(failed)}; the old ones stay")


def kept_commands(folder: Path) -> dict[str, list[str]]:
    """Return the words of the command behind each file, by the file's name without ending."""
    kept = {path.stem: atomic_files.read_json(path) for path in sorted(folder.glob("*.json"))}
    return {
        name: shlex.split(measured["command"])
        for name, measured in kept.items()
        if str(measured.get("command", "")).startswith("bench ")
    }


def run_command(words: Sequence[str]) -> dict[str, Any]:
    """Run one of our commands in a process of its own; return what it printed as JSON."""
    command = [sys.executable, "-m", "peftcore", *words, "--json"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BadInput(f"failed: {last[:300]}")
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        raise BadInput(f"printed no JSON: {done.stdout[:100]!r}") from error


@contextmanager
def spinning_process() -> Iterator[int]:
    """Keep a process beside that takes all it can get of one core; yield its number."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
