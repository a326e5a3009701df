"""`ship WHAT`: make again what comes with the project, and put it where it ships.

Runs that train on the way do so one after another; what is finished already is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.benchmarks import screenshots
from peftcore.cli import app, options, run_scores
from peftcore.cli.experiments_components import GridOptions, print_grid, train_grid
from peftcore.cli.sweeps import SweepFile
from peftcore.cli.toys import ToyOptions, print_results, train_experiment
from peftcore.cli.training import train_here, train_or_load
from peftcore.errors import unknown_name
from peftcore.experiments import ladder, layers_picture, papers, readme_blocks
from peftcore.experiments.demo_runs import study_specs, write_demo_runs
from peftcore.experiments.paper_table import PAPERS_FILE
from peftcore.experiments.real_report import write_report
from peftcore.experiments.real_runs import REAL_RUNS, ship_real_runs
from peftcore.jobs.worker import resolve_device
from peftcore.labs.attention import first_pictures
from peftcore.labs.components import grid as component_grid
from peftcore.labs.images import demo_runs as image_runs
from peftcore.labs.toys import experiments, results
from peftcore.rating import demo as rating_demo
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.stories import recordings
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps.results import ship_sweep_runs
from peftcore.system import printing
from peftcore.system.option_groups import grouped

ship = typer.Typer(no_args_is_help=True)
app.add_typer(ship, name="ship", help="Make again what comes with the project.")

Out = Annotated[Path | None, typer.Option(help="Folder to write to; otherwise where they ship.")]
OutFolder = Annotated[Path, typer.Option(help="Folder to write to.")]


@ship.command("demo-runs")
def ship_demo_runs(
    out: Out = None, device: options.Device = "auto", as_json: printing.AsJson = False
) -> None:
    """Train the runs that every page shows at first start."""
    _train_runs(out or paths.ASSETS / "demo_runs", None, device, as_json)


@ship.command("study-runs")
def ship_study_runs(
    out: Out = None, device: options.Device = "auto", as_json: printing.AsJson = False
) -> None:
    """Train the runs around them that the Scaling and Landscape pages compare."""
    _train_runs(out or paths.ASSETS / "study_runs", study_specs(RunStore()), device, as_json)


@ship.command("ladder")
def ship_ladder_runs(out: Out = None, as_json: printing.AsJson = False) -> None:
    """Copy the finished runs of `experiment ladder`, without their adapters, and their tries."""
    _print_runs(ladder.ship_ladder(out or ladder.SHIPPED_FOLDER), as_json)


@ship.command("readme-tables")
def ship_readme_tables() -> None:
    """Write what READMEs and Home show of shipped runs: tables, verdicts, one picture."""
    papers.write_papers()
    layers_picture.write_picture()
    for path in (PAPERS_FILE, layers_picture.PICTURE):
        typer.echo(path)
    for path, text in readme_blocks.readme_texts().items():
        path.write_text(text, "utf-8")
        typer.echo(path)


def _train_runs(folder: Path, specs: list[RunSpec] | None, device: str, as_json: bool) -> None:
    torch_device = resolve_device(device)
    runs = write_demo_runs(folder, lambda run: train_here(run, torch_device), specs)
    _print_runs(runs, as_json)


@ship.command("real-runs")
def ship_runs_on_real_base(
    out: Out = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Train the runs on a real base, which must be added first; texts of the data stay behind."""
    options.use_data(data)
    torch_device = resolve_device(device)
    folder = paths.expand(out or paths.ASSETS / "real_runs")
    runs = ship_real_runs(folder, lambda run: train_here(run, torch_device))
    on_real_data = runs[: len(REAL_RUNS)]
    from peftcore.experiments.real_measures import measure_inside  # brings torch

    write_report(folder, on_real_data, measure_inside(folder, on_real_data))
    _print_runs(runs, as_json)


@ship.command("images")
def ship_images(out: OutFolder, as_json: printing.AsJson = False) -> None:
    """Train the runs of the Images page, and measure their figures."""
    runs = image_runs.ship_image_runs(
        paths.expand(out),
        lambda run: train_or_load(run.spec, "cpu"),
        lambda words: typer.echo(words, err=True),
    )
    _print_runs(runs, as_json)


@ship.command("toys")
@grouped
def ship_toys(
    experiment: ToyOptions,
    out: OutFolder,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Train a toy experiment; keeps its results and the first seed's weights."""
    recipe, seeds = train_experiment(experiment, device), experiment.seed_numbers
    experiments.ship_results(recipe, seeds, results.own_folder(), paths.expand(out))
    print_results(results.own_folder(), recipe, seeds, as_json)


@ship.command("components")
@grouped
def ship_components(
    grid: GridOptions, resources: options.Resources, as_json: printing.AsJson = False
) -> None:
    """Train the runs of a grid of the Components page, and copy them without their adapters."""
    subset_grid = train_grid(grid, resources)
    component_grid.ship_grid_runs(subset_grid)
    print_grid(subset_grid, grid.metric, as_json)


@ship.command("sweep")
def ship_sweep(
    file: SweepFile,
    out: OutFolder,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Copy the runs of a finished sweep, without their adapters."""
    options.use_data(data)
    runs = ship_sweep_runs(sweep_spec.read(file).cells(), RunStore(), out)
    names = [run.id for run in runs]
    printing.print_result({"runs": names}, as_json, lambda: iter(names))


@ship.command("rating")
def ship_rating(
    folder: Annotated[Path | None, typer.Option(help="Where to; otherwise the assets.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Write the rating projects of simulated raters, the same bytes each time."""
    target = folder or rating_demo.demo_folder()
    written = {name: target / f"{name}.jsonl" for name in rating_demo.DEMOS}
    for name, path in written.items():
        path.write_text("".join(f"{line}\n" for line in rating_demo.make_demo(name)), "utf-8")
    value = {name: str(path) for name, path in written.items()}
    printing.print_result(value, as_json, lambda: iter(value.values()))


@ship.command("stories")
def ship_stories(
    out: Out = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Names out of {', '.join(recordings.NAMES)}.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Record what the stories draw; the row of attention needs its pretrained base."""
    unknown = sorted(set(only or ()) - set(recordings.NAMES))
    if unknown:
        raise unknown_name("recording", unknown[0], recordings.NAMES)
    folder = paths.expand(out or recordings.stories_folder())
    from peftcore.stories import record as story_record  # brings torch

    written = story_record.write_recordings(folder, tuple(only or recordings.NAMES))
    value = [str(path) for path in written]
    printing.print_result({"files": value}, as_json, lambda: iter(value))


@ship.command("first-pictures")
def ship_first_pictures(out: Out = None, as_json: printing.AsJson = False) -> None:
    """Record what Attention and Limits show first of the demo runs, so that it needs no torch."""
    folder = paths.expand(out or first_pictures.shipped_folder())
    from peftcore.labs.attention import record_first_pictures  # brings torch

    written = [str(path) for path in record_first_pictures.write_first_pictures(folder)]
    printing.print_result({"files": written}, as_json, lambda: iter(written))


@ship.command("screenshots")
def ship_screenshots(
    names: Annotated[
        list[str] | None, typer.Argument(help="Pictures; otherwise the old ones.")
    ] = None,
    out: Out = None,
    check: Annotated[bool, typer.Option("--check", help="Only name those that are old.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Take the pictures of the README's tour again; needs Chromium and playwright."""
    folder = paths.expand(out or screenshots.FOLDER)
    old = screenshots.outdated(folder)
    if check:
        printing.print_result({"old": old}, as_json, lambda: iter(old or ["none is old"]))
        raise typer.Exit(1 if old else 0)
    written = [str(path) for path in screenshots.take_screenshots(names or old, folder)]
    printing.print_result({"files": written}, as_json, lambda: iter(written))


def _print_runs(runs: list[Run], as_json: bool) -> None:
    value: list[dict[str, Any]] = [
        {"run": run.id, "task": run.spec.task, "method": run.spec.method}
        | {"scores": run_scores.scores_with_intervals(run)}
        for run in runs
    ]
    printing.print_result(
        value, as_json, lambda: (f"run {r['run']}: {r['task']}, {r['method']}" for r in value)
    )
