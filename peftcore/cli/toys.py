"""The command `toys`: the experiments of the prefix theory on tiny transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.labs.toys.recipes import Recipe


@app.command()
def toys(
    number: Annotated[str, typer.Argument(help="Experiment: 01, 02, 03 or 04.")],
    recipe: Annotated[str, typer.Option(help="cpu, full, or quick (a taste).")] = "cpu",
    seeds: Annotated[int, typer.Option(min=1, max=64, help="Independent repetitions.")] = 5,
    first_seed: Annotated[int, typer.Option(min=0, help="Number of the first seed.")] = 0,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Print the results that come with the project.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also keep results and the first seed's weights here.")
    ] = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Rerun a toy experiment: tiny transformers sort and count, whole, with a prefix, with LoRA."""
    from peftcore.labs.toys import recipes, results

    chosen = recipes.find_recipe(number, recipe)
    numbers = tuple(range(first_seed, first_seed + seeds))
    folder = results.own_folder()
    if shipped:
        folder, numbers = results.shipped_folder(), results.SHIPPED_SEEDS
        chosen = recipes.find_recipe(number, "cpu")
    else:
        _train(chosen, numbers, device)
        if out:
            from peftcore.labs.toys import experiments

            experiments.ship_results(chosen, numbers, folder, out.expanduser())
    result_rows = list(results.result_rows(folder, chosen, numbers))
    if not result_rows:
        raise BadInput(f"no results of experiment {number} come with the project")

    def lines() -> Iterator[str]:
        table = [
            (r.adaptation, r.task, r.mean, r.low, r.high, len(r.seeds), r.numbers, r.paper)
            for r in result_rows
        ]
        heads = ["adaptation", "task", "exact %", "low", "high", "seeds", "numbers", "paper %"]
        yield from printing.format_table(heads, table)

    printing.print_result([row.to_json() for row in result_rows], as_json, lines)


def _train(recipe: Recipe, seeds: tuple[int, ...], device: str) -> None:
    """Train what is missing; every finished stage is a line on standard error."""
    from peftcore.jobs.worker import resolve_device
    from peftcore.labs.toys import experiments
    from peftcore.labs.toys.request import ToyJob, ToyRequest

    request = ToyRequest.make(
        {
            "number": recipe.number,
            "size": recipe.size,
            "seeds": len(seeds),
            "first_seed": seeds[0],
        }
    )
    status = experiments.run_toys_job(
        ToyJob.create_own(request), recipe, device=resolve_device(device)
    )
    if status.state != "done":
        raise BadInput("the experiment was stopped; finished stages are kept")
