"""What several benchmarks share: the command group, the machine's description, the clock."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import typer

from peftcore import tasks
from peftcore.adapters.simplex_points import random_points
from peftcore.labs.common import interpolation
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.system import printing
from peftcore.training import planning
from peftcore.training.trainer import autocast_dtype

bench = typer.Typer(no_args_is_help=True)
Bases = Annotated[list[str] | None, typer.Option(help="Base; repeat it for more.")]
Methods = Annotated[list[str] | None, typer.Option(help="Method; repeat it for more.")]
Counts = Annotated[list[int] | None, typer.Option(help="Seeds; repeat it for more.")]


@dataclass(frozen=True)
class Subjects:
    """The bases, methods and numbers of seeds to time, in every combination."""

    base: Bases = None
    method: Methods = None
    count: Counts = None


def with_machine_info(value: dict[str, Any]) -> dict[str, Any]:
    """Add to what a benchmark found the command and the machine it was found on."""
    words = [word for word in sys.argv[1:] if word != "--json"]
    return {"command": shlex.join(words), "machine": machine_info()} | value


def machine_info() -> dict[str, Any]:
    """Describe the machine, which stands beside every figure, and how busy it was just now.

    The load is of the last five minutes; above the number of cores, wall times are those of a
    loaded machine.
    """
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else "unknown",
    }


def interleaved(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Time each way, all of them in every round: median wall and processor seconds.

    Interleaving makes other load slow all variants alike. The first round warms up and does not
    count.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            way()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        name: {
            "wall": statistics.median(wall for wall, _ in each[1:]),
            "processor": statistics.median(processor for _, processor in each[1:]),
        }
        for name, each in times.items()
    }


@bench.command()
def landscape(
    base: Bases = None,
    points: Annotated[int, typer.Option(min=1, help="Points of a face.")] = 66,
    examples: Annotated[int, typer.Option(min=1, help="Examples read at each point.")] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="12 points, 6 examples, 2 rounds.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time losses at many points of a simplex: one by one, stacked, stacked in half precision."""
    if quick:
        points, examples, rounds = 12, 6, 2
    rows = []
    for name in base or ["tiny-t5", "tiny-gpt", "tiny-bert"]:
        rows += time_landscape(name, points, examples, rounds)

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{points} points, {examples} examples, medians of {rounds} interleaved rounds"
        heads = ["base", "prefixes", "way", "wall s", "processor s", "times faster"]
        heads += ["in processor time", "off by"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    printing.print_result(
        with_machine_info({"points": points, "examples": examples, "rounds": rounds, "rows": rows}),
        as_json,
        lines,
    )


def time_landscape(
    name: str, points: int, examples: int, rounds: int, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Time the points of a base's simplex in every way; returns a row a way and place."""
    base = load(name, device)
    weights = random_points([0], points, 3, 1)[0]
    half = autocast_dtype("auto", base.device)
    places = {"all": ["encoder", "decoder", "cross"]}
    if base.kind == "encoder-decoder":
        places["decoder only"] = ["decoder", "cross"]
    rows = []
    for where, chosen in places.items():
        ways = _ways(base, chosen, weights, examples, half)
        kept: dict[str, list[float]] = {}
        seconds_by_way = interleaved(
            {way: _storing_result(kept, way, make) for way, make in ways.items()}, rounds
        )
        plain = seconds_by_way["one by one"]
        first = torch.tensor(kept["one by one"])
        for way, each in seconds_by_way.items():
            rows.append(
                {
                    "base": name,
                    "prefixes": where,
                    "way": way,
                    "wall": each["wall"],
                    "processor": each["processor"],
                    "faster": plain["wall"] / each["wall"],
                    "faster_in_processor_time": plain["processor"] / each["processor"],
                    "off": float((torch.tensor(kept[way]) - first).abs().max()),
                }
            )
    return rows


def _storing_result(
    kept: dict[str, list[float]], way: str, make: Callable[[], list[float]]
) -> Callable[[], None]:
    """Make what does it and keeps what came out."""

    def work() -> None:
        """Call and keep."""
        kept[way] = make()

    return work


def _ways(
    base: Any, places: list[str], weights: Any, examples: int, half: Any
) -> dict[str, Callable[[], list[float]]]:
    """Make each way of measuring the same losses, for a prefix as it is before training."""
    spec = planning.build_spec(
        base.name,
        "miniworld_nli",
        "prefix_tuning",
        {"places": places},
        {"seeds": 1, "vertices": 3},
    )
    task = tasks.find_task(spec.task)
    span = interpolation.span_of_run(planning.build_adapted(base, spec))
    encoder = ExampleBatcher(base, task.labels)
    rows = list(task.load("validation")[:examples])
    batch = encoder.batch(rows)

    def one_by_one() -> list[float]:
        """Return the losses, one point after another."""
        with torch.no_grad():
            return [
                float(
                    interpolation.at_points(span, 0, point[None])
                    .losses(batch, torch.ones(1, 1, 1))
                    .mean()
                )
                for point in weights
            ]

    ways: dict[str, Callable[[], list[float]]] = {
        "one by one": one_by_one,
        "stacked": lambda: interpolation.PointEvaluator(span, 0, rows, encoder).losses(weights),
    }
    if half is not None:
        ways["stacked, half precision"] = lambda: interpolation.PointEvaluator(
            span, 0, rows, encoder, half
        ).losses(weights)
    return ways
