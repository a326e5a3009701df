"""`similarity RUN`: how alike the hidden states of two models are in every layer (linear CKA)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from peftcore import tasks
from peftcore.analysis.comparison import interval
from peftcore.analysis.layer_similarity import cka_by_layer
from peftcore.api import measurements
from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.system import printing

States = NDArray[np.floating[Any]]


@app.command()
def similarity(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or a base's name.")],
    against: Annotated[
        str, typer.Option(help="Run or base to compare with; empty: the untouched base.")
    ] = "",
    task: Annotated[str, typer.Option(help="Task of examples; empty takes the run's.")] = "",
    examples: Annotated[int, typer.Option(min=2, max=500, help="Test examples read.")] = 40,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Compare hidden states layer by layer: linear CKA, one where both hold the same.

    Seeds are paired in their order; an untouched base is the same for each of them.
    """
    options.use_data(data)
    after, before = measurements.load_pair(run, against or None)
    name = task or measurements.own_task(run)
    if not name:
        raise BadInput("an untouched base has no task of its own; name one with --task")
    from peftcore.labs.common.hidden_states import read_states  # loads torch

    rows = tasks.find_task(name).load("test")[:examples]
    first, second = (read_states(model, rows) for model in (before, after))
    value: dict[str, Any] = {
        "run": run,
        "against": against or before.base.name,
        "task": name,
        "examples": len(rows),
        "stacks": {
            stack: [
                _layer_value(number, values)
                for number, values in enumerate(
                    cka_by_layer(*_paired(first[stack].words, second[stack].words)).T
                )
            ]
            for stack in second
        },
    }
    printing.print_result(value, as_json, lambda: _lines(value))


def _paired(first: States, second: States) -> tuple[States, States]:
    """Return states (s, …) of equally many seeds; one of a base stands beside each of the other."""
    counts = len(first), len(second)
    count = max(counts) if 1 in counts else min(counts)
    of_each = lambda states: states.repeat(count, 0) if len(states) == 1 else states[:count]
    return of_each(first), of_each(second)


def _layer_value(number: int, values: Any) -> dict[str, Any]:
    estimate = interval([float(value) for value in values], (0.0, 1.0))
    return {
        "layer": number,
        "seeds": [float(value) for value in values],
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
    }


def _lines(value: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{value['run']} against {value['against']}: linear CKA over {value['examples']} test "
        f"examples of {value['task']}; layer 0 is what enters the stack"
    )
    for stack, layers in value["stacks"].items():
        yield stack
        yield from printing.format_records(layers, ["layer", "mean", "low", "high"])
