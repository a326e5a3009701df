"""`bench precision`: learning curves in half and in single precision, of the same seeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from peftcore.benchmarks.bench_training import PEFT_METHODS, bench_spec, build_trainer
from peftcore.benchmarks.common import Methods, bench, with_machine_info
from peftcore.system import printing
from peftcore.system.option_groups import grouped

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class CurveLoad:
    """The seeds, steps and interval of validation of each training."""

    count: Annotated[int, typer.Option(min=2, help="Seeds.")] = 4
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of every seed.")] = 100
    looks: Annotated[int, typer.Option(min=1, help="Looks at dev on the way.")] = 5


@bench.command()
@grouped
def precision(
    load: CurveLoad,
    base: Annotated[str, typer.Option(help="Base.")] = "tiny-t5",
    method: Methods = None,
    quick: Annotated[bool, typer.Option("--quick", help="LoRA, 2 seeds, 10 steps.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Compare dev loss on the way, both ways, with the same seeds, examples and order."""
    methods = method or list(PEFT_METHODS)
    if quick:
        methods, load = ["lora"], CurveLoad(count=2, steps=10, looks=2)
    rows = [row for each in methods for row in _curves(base, each, load)]
    heads = ["method", "step", "fp32", "bf16", "apart", "seeds spread", "times faster"]

    def lines() -> Iterator[str]:
        yield f"{base}, mean dev loss of {load.count} seeds; apart: the mean of their differences"
        yield from printing.format_table(heads, [tuple(row.values())[1:] for row in rows])

    printing.print_result(
        with_machine_info({"base": base, "seeds": load.count, "rows": rows}), as_json, lines
    )


def _curves(base: str, method: str, load: CurveLoad) -> list[dict[str, Any]]:
    """Train one method both ways; returns a row a look."""
    every = max(1, load.steps // load.looks)
    losses: dict[str, list[list[float]]] = {}
    seconds: dict[str, float] = {}
    for way in PRECISIONS:
        trainer = build_trainer(bench_spec(base, method, load.count, load.steps, way), alone=True)
        losses[way], began = [trainer.evaluate_dev()], time.process_time()
        for step in range(1, load.steps + 1):
            trainer.train_step()
            if step % every == 0:
                losses[way].append(trainer.evaluate_dev())
        seconds[way] = time.process_time() - began
    return [
        {
            "base": base,
            "method": method,
            "step": every * look,
            "fp32": statistics.fmean(single),
            "bf16": statistics.fmean(half),
            "apart": statistics.fmean(abs(a - b) for a, b in zip(single, half, strict=True)),
            "spread_over_seeds": statistics.stdev(single),
            "times_faster": seconds["fp32"] / seconds["bf16"],
        }
        for look, (single, half) in enumerate(zip(*losses.values(), strict=True))
    ]
