"""`bench growth`: how cost and memory grow with seeds, shots, prefix length, points, vertices.

Every value is measured in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from peftcore import paths, tasks
from peftcore.adapters.simplex_points import random_points
from peftcore.benchmarks.bench_training import (
    bench_spec,
    build_trainer,
    load_bench_base,
    peak_memory_mib,
)
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.errors import unknown_name
from peftcore.labs.common import interpolation
from peftcore.models.batching import ExampleBatcher
from peftcore.system import printing
from peftcore.training import planning

AXES: dict[str, tuple[int, ...]] = {
    "seeds": (1, 2, 4, 8, 16, 32, 64),
    "together": (1, 2, 4, 8, 16),
    "shots": (16, 32, 64, 125, 250, 500),
    "length": (1, 3, 10, 30, 100),
    "points": (66, 231, 496, 1326, 5151),
    "vertices": (1, 2, 3, 6, 12),
}
UNITS = {
    "seeds": "a training step",
    "together": "a training step of 16 seeds, so many of them in a pass",
    "shots": "reading the examples, and twenty steps",
    "length": "a training step of four seeds",
    "points": "all losses",
    "vertices": "a training step of four seeds",
}
STEPS = 20


@bench.command()
def growth(
    axis: Annotated[list[str] | None, typer.Option(help="What grows; repeat it for more.")] = None,
    base: Annotated[str, typer.Option(help="Base.")] = "tiny-t5",
    rounds: Annotated[int, typer.Option(min=1, help="Times each point is measured.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Seeds to 4 only, 2 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Measure processor time and peak memory as one number grows, and the exponent."""
    chosen = {name: AXES[name] for name in axis or AXES}
    if quick:
        chosen, rounds = {"seeds": (1, 2, 4)}, 2
    rows: list[dict[str, Any]] = [
        {"axis": name, "value": value, **_measure_in_process(name, value, base, rounds)}
        for name, values in chosen.items()
        for value in values
    ]
    exponents = {
        name: {
            key: growth_exponent([(r["value"], r[key]) for r in rows if r["axis"] == name])
            for key in ("seconds", "peak_memory_mib")
        }
        for name in chosen
    }

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{base}, prefix tuning, medians of {rounds}"
        heads = ["axis", "value", "processor seconds", "peak MiB"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])
        for name, powers in exponents.items():
            yield f"{name}: time grows as its power {powers['seconds']:.2f} at the upper end"

    value = {"base": base, "rounds": rounds, "units": UNITS}
    printing.print_result(
        with_machine_info(value | {"exponents": exponents, "rows": rows}), as_json, lines
    )


def growth_exponent(points: Sequence[tuple[float, float]]) -> float:
    """Fit the slope of log y over log x to the upper half of the points (x > 0)."""
    upper = sorted(points)[len(points) // 2 :] if len(points) > 3 else sorted(points)
    x, y = ([math.log(max(p[k], 1e-9)) for p in upper] for k in (0, 1))
    slope: float = statistics.linear_regression(x, y).slope
    return slope


def _measure_in_process(axis: str, value: int, base: str, rounds: int) -> dict[str, float]:
    """Measure one value in a process of its own."""
    arguments = [sys.executable, "-m", "peftcore", "bench", "growth-point"]
    arguments += ["--axis", axis, "--value", str(value), "--base", base, "--rounds", str(rounds)]
    typer.echo(f"{axis} {value}", err=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    completed = subprocess.run(
        arguments, cwd=paths.ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    measurement: dict[str, float] = json.loads(completed.stdout)
    return measurement


@bench.command("growth-point", hidden=True)
def growth_point(
    axis: Annotated[str, typer.Option()],
    value: Annotated[int, typer.Option()],
    base: Annotated[str, typer.Option()],
    rounds: Annotated[int, typer.Option()],
) -> None:
    """One of the processes of `bench growth`."""
    if axis not in WORKS:
        raise unknown_name("axis", axis, WORKS)
    work = WORKS[axis](value, base)
    work()  # the first one pays for warming up
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    typer.echo(
        json.dumps({"seconds": statistics.median(times), "peak_memory_mib": peak_memory_mib()})
    )


def _seeds(value: int, base: str) -> Callable[[], Any]:
    """Return a step of so many seeds, as a run divides them."""
    return build_trainer(bench_spec(base, "prefix_tuning", value, 1000, "auto")).train_step


def _together(value: int, base: str) -> Callable[[], Any]:
    """Return a step of 16 seeds, so many of them in a pass."""
    spec = bench_spec(base, "prefix_tuning", 16, 1000, "auto")
    return build_trainer(spec, value, alone=True).train_step


def _length(value: int, base: str) -> Callable[[], Any]:
    """Return a step with a prefix of this length."""
    spec = bench_spec(base, "prefix_tuning", 4, 1000, "auto")
    return build_trainer(
        spec.model_copy(update={"settings": spec.settings | {"length": value}})
    ).train_step


def _vertices(value: int, base: str) -> Callable[[], Any]:
    """Return a step of simplexes with so many vertices."""
    spec = bench_spec(base, "prefix_tuning", 4, 1000, "auto")
    population = spec.population.model_copy(update={"vertices": value})
    return build_trainer(spec.model_copy(update={"population": population})).train_step


def _shots(value: int, base: str) -> Callable[[], Any]:
    """Return a training on so many examples."""
    spec = bench_spec(base, "prefix_tuning", 4, 1000, "auto")
    training = spec.training.model_copy(update={"shots": value})
    spec = spec.model_copy(update={"training": training})

    def work() -> None:
        """Train a fixed number of steps."""
        trainer = build_trainer(spec)
        for _ in range(STEPS):
            trainer.train_step()

    return work


def _points(value: int, base: str) -> Callable[[], Any]:
    spec = bench_spec(base, "prefix_tuning", 1, 1000, "auto")
    spec = spec.model_copy(
        update={
            "population": spec.population.model_copy(update={"vertices": 3}),
            "settings": spec.settings | {"places": ["decoder", "cross"]},
        }
    )
    loaded, task = load_bench_base(base), tasks.find_task(spec.task)
    rows = list(task.load("validation")[:4])
    evaluator = interpolation.PointEvaluator(
        interpolation.span_of_run(planning.build_adapted(loaded, spec)),
        0,
        rows,
        ExampleBatcher(loaded, task.labels),
    )
    points = random_points([0], value, 3, 1)[0]
    return lambda: evaluator.losses(points)


WORKS: dict[str, Callable[[int, str], Callable[[], Any]]] = {
    "seeds": _seeds,
    "together": _together,
    "shots": _shots,
    "length": _length,
    "points": _points,
    "vertices": _vertices,
}
