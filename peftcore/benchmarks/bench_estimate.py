"""`bench estimate`: estimates against what runs then take, in time and memory.

Both in processor time of one thread, which other work on the machine hardly changes; every run is
in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.benchmarks.bench_training import peak_memory_mib
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.errors import unknown_name
from peftcore.models.base_model import load
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system import printing
from peftcore.training import planning
from peftcore.training.estimate import estimate_cost
from peftcore.training.run_training import execute_run

CASES: dict[str, tuple[str, int, int]] = {  # method, seeds, vertices
    "LoRA, 2 seeds": ("lora", 2, 1),
    "prefix, simplex of 3, 2 seeds": ("prefix_tuning", 2, 3),
    "prefix": ("prefix_tuning", 1, 1),
    "prompt": ("prompt_tuning", 1, 1),
    "SPT": ("spt", 1, 1),
    "SparseFit": ("sparsefit", 1, 1),
    "atoms": ("atoms", 1, 1),
}
SMALL = {"shots": 8, "dev": 8, "steps": 6, "batch": 2}
ANSWERS = 6


@bench.command()
def estimate(
    base: Annotated[str, typer.Option(help="Base that writes.")] = "tiny-gpt",
    task: Annotated[str, typer.Option(help="Task.")] = "miniworld_nonsense",
    case: Annotated[list[str] | None, typer.Option(help="Run; repeat it for more.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Compare the estimates of seven short runs with the runs: time, memory and their ratios."""
    rows = []
    for name in case or CASES:
        typer.echo(name, err=True)
        rows.append({"case": name, **_measure_in_process(name, base, task)})

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["case", "estimate s", "run s", "ratio", "estimate MiB", "peak MiB", "ratio"]
        heads += ["at most s", "ratio", "estimating s"]
        yield f"{base}, {task}: {SMALL['steps']} steps of {SMALL['batch']}, {ANSWERS} answers"
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    value = {"base": base, "task": task, "rows": rows}
    printing.print_result(with_machine_info(value), as_json, lines)


def _measure_in_process(name: str, base: str, task: str) -> dict[str, float]:
    """Train and estimate one run in a process of its own."""
    arguments = [sys.executable, "-m", "peftcore", "bench", "estimate-run"]
    arguments += ["--case", name, "--base", base, "--task", task]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PEFTCORE_THREADS": "1"}
    completed = subprocess.run(
        arguments, cwd=paths.ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    measurement: dict[str, float] = json.loads(completed.stdout)
    return measurement


@bench.command("estimate-run", hidden=True)
def estimate_run(
    case: Annotated[str, typer.Option()],
    base: Annotated[str, typer.Option()],
    task: Annotated[str, typer.Option()],
) -> None:
    """One of the processes of `bench estimate`."""
    typer.echo(json.dumps(compare_with_run(case_spec(case, base, task))))


def case_spec(case: str, base: str, task: str) -> RunSpec:
    """Return the spec of one of the runs."""
    if case not in CASES:
        raise unknown_name("case", case, CASES)
    method, seeds, vertices = CASES[case]
    population = {"seeds": seeds, "vertices": vertices}
    return planning.build_spec(base, task, method, None, population, SMALL, {"limit": ANSWERS})


def compare_with_run(spec: RunSpec) -> dict[str, float]:
    """Train a run, then estimate it: processor seconds, memory in MiB, and their ratios."""
    base = load(spec.base)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        execute_run(RunStore(Path(folder)).create(spec), base=base)
        took = time.process_time() - began
    peak = peak_memory_mib()
    began = time.process_time()
    found = estimate_cost(spec, base, time.process_time)
    estimating = time.process_time() - began
    estimated = (found.seconds or 0.0) + found.start_seconds
    memory = found.memory_bytes / 2**20
    numbers: dict[str, Any] = {"estimate": estimated, "run": took, "ratio": estimated / took}
    numbers |= {"estimate_mib": memory, "peak_mib": peak, "memory_ratio": memory / peak}
    longest = (found.longest_seconds or 0.0) + found.start_seconds
    numbers |= {"longest": longest, "longest_ratio": longest / took}
    return {key: round(value, 3) for key, value in numbers.items()} | {"estimating": estimating}
