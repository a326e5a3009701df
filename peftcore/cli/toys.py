"""The command `toys`: the experiments of the prefix theory on tiny transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.jobs.worker import resolve_device
from peftcore.labs.toys import experiments, recipes, results
from peftcore.labs.toys.recipes import Recipe
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.system import printing
from peftcore.system.option_groups import grouped


@dataclass(frozen=True)
class ToyOptions:
    """A toy experiment, its size and its seeds."""

    number: Annotated[str, typer.Argument(help="Experiment: 01, 02, 03 or 04.")]
    recipe: Annotated[str, typer.Option(help="cpu, full, or quick (a taste).")] = "cpu"
    seeds: Annotated[int, typer.Option(min=1, max=64, help="Independent repetitions.")] = 5
    first_seed: Annotated[int, typer.Option(min=0, help="Number of the first seed.")] = 0

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """List the seeds by number."""
        return tuple(range(self.first_seed, self.first_seed + self.seeds))


@app.command()
@grouped
def toys(
    experiment: ToyOptions,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Print the results that come with the project.")
    ] = False,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Rerun a toy experiment: tiny transformers sort and count, whole, with a prefix, with LoRA."""
    if shipped:
        recipe = recipes.find_recipe(experiment.number, "cpu")
        print_results(results.shipped_folder(), recipe, results.SHIPPED_SEEDS, as_json)
        return
    recipe = train_experiment(experiment, device)
    print_results(results.own_folder(), recipe, experiment.seed_numbers, as_json)


def print_results(folder: Path, recipe: Recipe, seeds: Sequence[int], as_json: bool) -> None:
    """Print a row for each adaptation and task; BadInput if the folder has none."""
    result_rows = list(results.result_rows(folder, recipe, seeds))
    if not result_rows:
        raise BadInput(f"no results of experiment {recipe.number} come with the project")

    def lines() -> Iterator[str]:
        table = [
            (r.adaptation, r.task, r.mean, r.low, r.high, len(r.seeds), r.numbers, r.paper)
            for r in result_rows
        ]
        heads = ["adaptation", "task", "exact %", "low", "high", "seeds", "numbers", "paper %"]
        yield from printing.format_table(heads, table)

    printing.print_result([row.to_json() for row in result_rows], as_json, lines)


def train_experiment(experiment: ToyOptions, device: str) -> Recipe:
    """Train what is missing; every finished stage is a line on standard error."""
    recipe = recipes.find_recipe(experiment.number, experiment.recipe)
    request = ToyRequest.make(
        {
            "number": recipe.number,
            "size": recipe.size,
            "seeds": experiment.seeds,
            "first_seed": experiment.first_seed,
        }
    )
    status = experiments.run_toys_job(
        ToyJob.create_own(request), recipe, device=resolve_device(device)
    )
    if status.state != "done":
        raise BadInput("the experiment was stopped; finished stages are kept")
    return recipe
