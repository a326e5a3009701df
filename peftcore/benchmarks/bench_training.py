"""`bench seeds` and `bench step`: what training many seeds in one pass gains, and what it costs.

`bench seeds` compares one pass over S seeds with our own loop run S times, with the `peft`
package in a plain loop run S times, and with S processes of that, which is what people do.
As in a run, the pass is cut into one for each core, and where an encoder stays as it is it runs
once for each example, however many steps meet it.
`bench step` compares a training step with its floor.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore import paths
from peftcore.adapters import parameter_counts
from peftcore.benchmarks import frozen_floor, peft_baseline
from peftcore.benchmarks.common import Bases, Subjects, bench, with_machine_info
from peftcore.models.base_model import load
from peftcore.system import printing, thread_pool
from peftcore.system.option_groups import grouped
from peftcore.training import batch_budget, planning
from peftcore.training.trainer import Trainer

if TYPE_CHECKING:
    from peftcore.models.architectures import ModelKind
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.spec import RunSpec

TASK = "miniworld_nli"  # every kind of base can do it
STEP_METHODS = ("prompt_tuning", "spt", "prefix_tuning", "lora", "atoms", "sparsefit")


@dataclass(frozen=True)
class TrainingLoad:
    """The seeds, steps and rounds of each variant."""

    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of every seed.")] = 24
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of all ways, in random order.")] = 3
    process_rounds: Annotated[
        int, typer.Option(min=1, help="Rounds in which processes run, whose start takes long.")
    ] = 1
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16, the same for all.")] = "auto"
    device: Annotated[str, typer.Option(help="cpu or cuda, the same for all.")] = "cpu"


@bench.command()
@grouped
def seeds(
    subjects: Subjects,
    load: TrainingLoad,
    quick: Annotated[
        bool, typer.Option("--quick", help="tiny-t5, prompt tuning, 4 seeds, 5 steps, 1 round.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time one pass over many seeds against one at a time, and against the peft package."""
    bases, methods = subjects.base or ["tiny-t5"], subjects.method or list(PEFT_METHODS)
    counts = subjects.count or [1, 4, 16]
    if quick:
        bases, methods, counts = bases[:1], methods[:1], [4]
        load = replace(load, steps=5, rounds=1)
    rows = [
        time_ways(name, each, number, load)
        for name in bases
        for each in methods
        for number in counts
    ]
    heads = ["base", "method", "seeds", "own loop ×", "peft ×", "processes ×", "peft range"]

    def lines() -> Iterator[str]:
        yield f"{load.steps} steps, {load.rounds} rounds; × is how many times as long as one pass"
        yield from printing.format_table(heads, [_table_row(row) for row in rows])

    printing.print_result(
        with_machine_info(
            {"steps": load.steps, "rounds": load.rounds, "precision": load.precision}
            | {name: statistics.median(row[name]["median"] for row in rows) for name in RATIOS}
            | {"rows": rows}
        ),
        as_json,
        lines,
    )


def _table_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a row of the printed table."""
    against = row["ratio_vs_peft"]
    medians = [f"{row[name]['median']:.2f}" for name in RATIOS]
    return (
        *(row["base"], row["method"], row["seeds"]),
        *medians,
        f"{against['low']:.2f}-{against['high']:.2f}",
    )


PEFT_METHODS = ("prompt_tuning", "prefix_tuning", "lora")
RATIOS = ("ratio_vs_own_loop", "ratio_vs_peft", "ratio_vs_processes")


@lru_cache(maxsize=1)
def load_bench_base(name: str, device: str = "cpu") -> BaseModel:
    """A base by name, or one of a published shape with random weights and our own tokens."""
    return (
        parameter_counts.random_base(name, device)
        if name in parameter_counts.published_bases()
        else load(name, device)
    )


def _kind(name: str) -> ModelKind:
    """Return the kind of a base, which is not loaded for it."""
    published = name in parameter_counts.published_bases()
    find = parameter_counts.meta_base if published else parameter_counts.local_meta_base
    return find(name).kind


def bench_spec(
    name: str, method: str, count: int, steps: int, precision: str, first: int = 0
) -> RunSpec:
    """Build the spec to time; published shapes get the rates of an embedded base of their kind."""
    kind = _kind(name)
    settings: dict[str, Any] | None = None
    if method == "prefix_tuning" and kind == "encoder-decoder":
        settings = {"places": ["decoder"]}  # the only one the package has
    planned = planning.build_spec(
        parameter_counts.stand_in(name) if name in parameter_counts.published_bases() else name,
        TASK,
        method,
        settings,
        {"seeds": count, "first_seed": first},
        {"steps": steps, "precision": precision},
    )
    return planned.model_copy(update={"base": name})


def build_trainer(
    spec: RunSpec, together: int | None = None, alone: bool = False, device: str = "cpu"
) -> Trainer:
    """Build the trainer of a spec, with its examples tokenised.

    together: seeds in one pass, as many as in a run unless given. alone: one pass after another,
    where a run has several side by side.
    """
    return trainer_of(load_bench_base(spec.base, device), spec, together, alone)


def trainer_of(
    loaded: BaseModel, spec: RunSpec, together: int | None = None, alone: bool = False
) -> Trainer:
    """Build the trainer of a spec on a base that is loaded; see `build_trainer`."""
    episodes, encoder = peft_baseline.prepare_examples(loaded, spec)
    together = together or batch_budget.seeds_per_pass(spec, loaded, encoder, episodes)
    at_once = 1 if alone else thread_pool.thread_count(loaded.device)
    return Trainer(planning.build_adapted(loaded, spec), episodes, encoder, spec, together, at_once)


WAYS = ("one pass", "own loop", "peft", "processes")


def time_ways(
    name: str, method: str, count: int, load: TrainingLoad, ways: Sequence[str] = WAYS
) -> dict[str, Any]:
    """Time these ways in rounds, processes in fewer of them; returns one row.

    ways: out of WAYS, one pass first, which the others are compared with.
    """
    steps, precision = load.steps, load.precision
    loaded = load_bench_base(name, load.device)
    all_ways: dict[str, Callable[[], dict[str, Any]]] = {
        "one pass": lambda: _one_pass(loaded, method, count, steps, precision),
        "own loop": lambda: _own_loop(loaded, method, count, steps, precision),
        "peft": lambda: _peft(loaded, method, count, steps, precision),
        "processes": lambda: _processes(name, method, count, load),
    }
    measured: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for way in {"one pass", "peft"} & set(ways):  # the first of each pays for warming up
        all_ways[way]()
    shuffled = random.Random(0)
    for nth in range(load.rounds):
        for way in shuffled.sample(list(ways), len(ways)):
            if way == "processes" and nth >= load.process_rounds:
                continue
            measured[way].append(all_ways[way]())
            typer.echo(
                f"{name} {method} {count}: {way} {measured[way][-1]['wall']:.1f} s", err=True
            )
    ratios = {
        f"{prefix}ratio_vs_{way.replace(' ', '_')}": _ratio(
            measured[way], measured["one pass"], clock
        )
        for prefix, clock in (("", "wall"), ("processor_", "processor"))
        for way in ways[1:]
    }
    row = {
        "base": name,
        "method": method,
        "seeds": count,
        **ratios,
        "seconds": {
            way: {key: statistics.median(each[key] for each in took) for key in CLOCKS}
            for way, took in measured.items()
        },
        "mean_loss": {way: statistics.fmean(took[0]["losses"]) for way, took in measured.items()},
        "peak_memory_mib": peak_memory_mib(),
    }
    if "own loop" in ways:
        first, own = measured["one pass"][0]["losses"], measured["own loop"][0]["losses"]
        row["own_loop_off_by"] = max(abs(a - b) for a, b in zip(first, own, strict=True))
    if "processes" in ways:
        row["start_up_seconds_of_a_process"] = measured["processes"][0]["start_up"]
    return row


CLOCKS = ("wall", "processor")


def _ratio(
    slow: Sequence[dict[str, Any]], fast: Sequence[dict[str, Any]], clock: str
) -> dict[str, float]:
    """Return median and range of slow over fast within rounds; later ones may lack a slow one."""
    pairs = [s[clock] / f[clock] for s, f in zip(slow, fast[: len(slow)], strict=True)]
    return {"median": statistics.median(pairs), "low": min(pairs), "high": max(pairs)}


def _one_pass(base: Any, method: str, count: int, steps: int, precision: str) -> dict[str, Any]:
    """Time our trainer on all seeds at once."""
    return _time_own_trainer(base, bench_spec(base.name, method, count, steps, precision))


def _own_loop(base: Any, method: str, count: int, steps: int, precision: str) -> dict[str, Any]:
    """Time our trainer on one seed after another."""
    took = [
        _time_own_trainer(base, bench_spec(base.name, method, 1, steps, precision, seed))
        for seed in range(count)
    ]
    return {
        "wall": sum(each["wall"] for each in took),
        "processor": sum(each["processor"] for each in took),
        "losses": [each["losses"][0] for each in took],
    }


def _time_own_trainer(base: BaseModel, spec: RunSpec) -> dict[str, Any]:
    """Time the training steps of our own loop, and nothing else."""
    trainer = build_trainer(spec, device=base.device.type)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(spec.training.steps):
        losses = trainer.train_step()
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "losses": list(losses.values()),
    }


def _peft(
    base: Any, method: str, count: int, steps: int, precision: str, first: int = 0
) -> dict[str, Any]:
    spec = bench_spec(base.name, method, count, steps, precision, first)
    episodes, encoder = peft_baseline.prepare_examples(base, spec)
    return vars(
        peft_baseline.train_in_turn(peft_baseline.peft_loops(base, spec), episodes, encoder)
    )


def _processes(name: str, method: str, count: int, load: TrainingLoad) -> dict[str, Any]:
    """Time all seeds at once, a process each; start-up is measured apart and not counted."""
    words = [sys.executable, "-m", "peftcore", "bench", "peft-process"]
    words += ["--base", name, "--method", method, "--steps", str(load.steps)]
    words += ["--precision", load.precision, "--device", load.device]
    began = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*words, "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=paths.ROOT,
            env=environment,
            text=True,
        )
        for seed in range(count)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # ready
    start_up, began = time.perf_counter() - began, time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate()[0]) for process in running]
    return {
        "wall": time.perf_counter() - began,
        "processor": sum(each["processor"] for each in results),
        "losses": [each["losses"][0] for each in results],
        "start_up": start_up,
    }


@bench.command("peft-process", hidden=True)
def peft_process(
    base: Annotated[str, typer.Option()],
    method: Annotated[str, typer.Option()],
    steps: Annotated[int, typer.Option()],
    precision: Annotated[str, typer.Option()],
    seed: Annotated[int, typer.Option()],
    device: Annotated[str, typer.Option()] = "cpu",
) -> None:
    """One of the processes of `bench seeds`: says it is ready, waits for a line, trains."""
    loaded = load_bench_base(base, device)
    spec = bench_spec(base, method, 1, steps, precision, seed)
    episodes, encoder = peft_baseline.prepare_examples(loaded, spec)
    each = peft_baseline.peft_loops(loaded, spec)
    typer.echo("ready")
    sys.stdout.flush()
    sys.stdin.readline()
    took = peft_baseline.train_in_turn(each, episodes, encoder)
    typer.echo(json.dumps(vars(took)))


@bench.command()
def step(
    base: Bases = None,
    count: Annotated[int, typer.Option(min=1, help="Seeds in one pass.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each method, taken in turns.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="tiny-t5, 4 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time a training step of each method against the frozen model's own forward and backward."""
    names = base or ["tiny-t5", "tiny-gpt", "tiny-bert"]
    if quick:
        names, rounds = names[:1], 4
    rows = [row for name in names for row in _time_steps(name, count, rounds)]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{count} seeds, medians of {rounds} rounds; the floor is forward and backward to "
        yield "the inputs of the frozen model, for the same tokens, soft ones included"
        yield from printing.format_table(
            ["base", "method", "ms a step", "floor ms", "times the floor"],
            [tuple(row.values())[:5] for row in rows],
        )

    printing.print_result(
        with_machine_info({"seeds": count, "rounds": rounds, "rows": rows}), as_json, lines
    )


def _time_steps(name: str, count: int, rounds: int) -> list[dict[str, Any]]:
    loaded = load_bench_base(name)
    ways: dict[str, Callable[[], Any]] = {}
    floors: dict[str, str] = {}
    for label, method, vertices in (
        *((method, method, 1) for method in STEP_METHODS),
        ("prefix simplex of 3", "prefix_tuning", 3),
    ):
        spec = bench_spec(name, method, count, 1000, "auto")
        if vertices > 1:
            population = spec.population.model_copy(update={"vertices": vertices})
            spec = spec.model_copy(update={"population": population})
        trainer = build_trainer(spec, alone=True)
        ways[label] = trainer.train_step
        weights, soft = method == "sparsefit", planning.prompt_length(spec, loaded)
        floors[label] = "floor"
        floors[label] += ", with weights" if weights else f", {soft} soft tokens" if soft else ""
        if floors[label] not in ways:
            ways[floors[label]] = frozen_floor.floor_step(loaded, trainer, weights=weights)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, work in ways.items():
            began = time.process_time()
            work()
            if turn:
                times[way].append(time.process_time() - began)
    return [
        {
            "base": name,
            "method": label,
            "step_ms": 1000 * statistics.median(times[label]),
            "floor_ms": 1000 * statistics.median(times[under]),
            "times_the_floor": statistics.median(
                a / b for a, b in zip(times[label], times[under], strict=True)
            ),
            "floor": under,
        }
        for label, under in floors.items()
    ]


def peak_memory_mib() -> float:
    """Return the peak memory of this process, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
