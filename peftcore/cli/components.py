"""Commands about components: count what is trained, judge explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.adapters import component_map, parameter_counts
from peftcore.adapters.base import METHODS
from peftcore.adapters.component_map import ComponentMap
from peftcore.analysis.explanations import FLAGS
from peftcore.api.bases import load_base
from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.labs.components import explanation_quality
from peftcore.labs.components import grid as component_grid
from peftcore.runs.store import RunStore
from peftcore.system import printing

components = typer.Typer(no_args_is_help=True)
app.add_typer(
    components,
    name="components",
    help="Count what is trained of a base's own weights, and judge how it explains.",
)


@components.command()
def count(
    base: Annotated[str, typer.Option(help="A base as in `list`, or a published one.")] = "tiny-t5",
    sets: options.Sets = None,
    preset: Annotated[
        str | None, typer.Option(help="A configuration of SparseFit's paper, by name.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Count all bases anew into assets, from their shapes.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Count a choice of cells, as `--set cells=encoder.0.ffn,head`; else each cell."""
    if write:
        component_map.write_counts(_all_maps())
    base_map = component_map.find_map(base)
    if preset is not None and preset not in base_map.presets:
        raise BadInput(
            f"{base} has no configuration {preset!r}; it has {', '.join(base_map.presets)}"
        )
    settings = (
        base_map.presets[preset] if preset else options.spec_sections("sparsefit", sets)["settings"]
    )
    if not settings:
        _print_every_cell(base_map, as_json)
        return
    whole = METHODS["sparsefit"].Config.make(settings).model_dump(mode="json")
    cells = base_map.trained_cells(whole)
    counted = base_map.count(cells)
    value: dict[str, Any] = {
        "base": base,
        "trained": counted,
        "total": base_map.total,
        "percent": base_map.percent(counted),
        "settings": base_map.settings_for(cells) if cells else {},
        "cells": [name for name in base_map.sizes if name in cells],
    }
    line = f"{counted:,} of {base_map.total:,}, {base_map.percent(counted):.3f} %"
    printing.print_result(value, as_json, lambda: iter([line, *value["cells"]]))


def _print_every_cell(base_map: ComponentMap, as_json: bool) -> None:
    rows = [{"cell": name, "numbers": size} for name, size in base_map.sizes.items()]
    value = {"base": base_map.base, "total": base_map.total, "cells": rows}
    printing.print_records(rows, as_json, value=value)


def _all_maps() -> Iterator[ComponentMap]:
    """Map the embedded bases and the published shapes."""
    for folder in sorted((paths.ASSETS / "models").glob("*/model.safetensors")):
        if folder.parent.name in component_map.shipped_bases():
            yield component_map.map_of_base(load_base(folder.parent.name, device="cpu"))
    for name in parameter_counts.published_bases():
        yield component_map.map_of_base(parameter_counts.meta_base(name))


@components.command()
def quality(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Finished runs.")],
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Flag the explanations of runs, and count how often gold explanations raise the flags."""
    options.use_data(data)
    store, grid_store = RunStore(), component_grid.shipped_store()
    known = {run.id: run for run in grid_store.all()}
    opened = [known.get(run) or store.open(run) for run in runs]
    quality_by_run = {run.id: explanation_quality.evaluate_explanations(run) for run in opened}
    gold = {run.spec.task: explanation_quality.gold_flag_shares(run.spec.task) for run in opened}
    value: dict[str, Any] = {
        "runs": [
            {
                "run": run.id,
                "method": run.spec.method,
                "task": run.spec.task,
                "answers": len(quality_by_run[run.id].answers),
                "flags": quality_by_run[run.id].shares,
                "scores": quality_by_run[run.id].scores,
                "length_limit": quality_by_run[run.id].limit,
                "lengths_known": quality_by_run[run.id].tokens_counted,
                "reads_labels": quality_by_run[run.id].reads_labels,
            }
            for run in opened
        ],
        "gold": gold,
    }

    def lines() -> Iterator[str]:
        heads = ["run", *FLAGS, "sound"]
        rows = [
            [run, *(run_quality.shares[name] for name in heads[1:])]
            for run, run_quality in quality_by_run.items()
        ]
        rows += [[f"gold {task}", *(shares[n] for n in heads[1:])] for task, shares in gold.items()]
        yield from printing.format_table(heads, rows)

    printing.print_result(value, as_json, lines)
