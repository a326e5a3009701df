"""`bench compile`: whether torch.compile pays for a training step, or for the frozen model alone.

Nothing in the core compiles; this measures whether it should on this machine. The model alone is
the upper bound of what compiling could gain: adapters enter by hooks, at each of which a graph
ends.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer

from peftcore.benchmarks import frozen_floor
from peftcore.benchmarks.bench_training import bench_spec, build_trainer, load_bench_base
from peftcore.benchmarks.common import Bases, bench, with_machine_info
from peftcore.errors import BadInput
from peftcore.system import printing
from peftcore.system.option_groups import grouped

if TYPE_CHECKING:
    from peftcore.training.trainer import Trainer

WARMUP_ROUNDS = 3  # rounds that do not count: shapes that come later are compiled again


@dataclass(frozen=True)
class CompileLoad:
    """The method, seeds and rounds that are compiled and timed."""

    method: Annotated[str, typer.Option(help="Method.")] = "lora"
    count: Annotated[int, typer.Option(min=1, help="Seeds in one pass.")] = 4
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, plain and compiled in turns.")] = 15
    backend: Annotated[str, typer.Option(help="As torch.compile knows it.")] = "inductor"


@bench.command("compile")
@grouped
def time_compile(
    load: CompileLoad,
    base: Bases = None,
    alone: Annotated[bool, typer.Option("--alone", help="The model alone, no steps.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="tiny-bert, the model alone, 5 rounds.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time a step, and the frozen model's forward and backward, plain and by torch.compile."""
    names = base or ["tiny-t5", "tiny-bert"]
    if quick:
        names, alone, load = ["tiny-bert"], True, replace(load, rounds=5)
    works = ["model alone"] if alone else ["model alone", "step"]
    rows = [_row(name, load, work) for name in names for work in works]
    heads = ["base", "what", "plain ms", "compiled ms", "times faster", "compiling s", "graphs"]

    def lines() -> Iterator[str]:
        yield f"{load.method}, {load.count} seeds, backend {load.backend}, {load.rounds} rounds"
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    value = {"method": load.method, "seeds": load.count, "rounds": load.rounds}
    value |= {"backend": load.backend, "rows": rows}
    printing.print_result(with_machine_info(value), as_json, lines)


def _row(name: str, load: CompileLoad, work: str) -> dict[str, Any]:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    spec = bench_spec(name, load.method, load.count, WARMUP_ROUNDS + load.rounds, "auto")
    make_work = _frozen_model_step if work == "model alone" else _training_step
    plain, fast = (
        make_work(build_trainer(spec, alone=True), way)
        for way in (lambda model: model, lambda model: torch.compile(model, backend=load.backend))
    )
    began = time.perf_counter()
    try:
        fast()
    except torch._dynamo.exc.BackendCompilerFailed as error:
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"torch.compile failed, perhaps for want of a compiler: {first}") from None
    compiling = time.perf_counter() - began
    seconds_by_way: dict[str, list[float]] = {"plain": [], "compiled": []}
    for turn in range(WARMUP_ROUNDS + load.rounds):
        for way, work_once in (("plain", plain), ("compiled", fast)):
            began = time.process_time()
            work_once()
            if turn >= WARMUP_ROUNDS:
                seconds_by_way[way].append(time.process_time() - began)
    pairs = zip(seconds_by_way["plain"], seconds_by_way["compiled"], strict=True)
    return {
        "base": name,
        "what": work,
        "plain_ms": 1000 * statistics.median(seconds_by_way["plain"]),
        "compiled_ms": 1000 * statistics.median(seconds_by_way["compiled"]),
        "times_faster": statistics.median(a / b for a, b in pairs),
        "compiling_seconds": compiling,
        "graphs": int(counters["stats"]["unique_graphs"]),
    }


def _training_step(trainer: Trainer, way: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return one training step with the model transformed."""
    trainer.adapted.model = way(trainer.adapted.model)
    return trainer.train_step


def _frozen_model_step(trainer: Trainer, way: Callable[[Any], Any]) -> Callable[[], Any]:
    base = load_bench_base(trainer.spec.base)
    return frozen_floor.floor_step(replace(base, model=way(base.model)), trainer)
