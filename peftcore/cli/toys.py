"""The command `toys`: the experiments of the prefix theory on tiny transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.system import printing


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
        _train(chosen, numbers, folder, device)
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


def _train(recipe: Any, seeds: tuple[int, ...], folder: Path, device: str) -> None:
    """Train what is missing; every tenth of a stage is a line on standard error."""
    import torch

    from peftcore.labs.toys import experiments, live, training

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    reporter = live.ProgressWriter(recipe, seeds)
    try:
        experiments.run_experiment(
            recipe, seeds, folder, report=reporter.report, stop=reporter.stop, device=device
        )
    except training.StageStopped:
        reporter.end("cancelled")
        raise BadInput("the experiment was cancelled; finished stages are kept") from None
    except BaseException:
        reporter.end("failed")
        raise
    reporter.end("done")
