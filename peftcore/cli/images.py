"""Commands about pictures: draw, split by layer, name atoms, remove them, join two runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, run_scores
from peftcore.cli.results import RunId
from peftcore.errors import BadInput
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.labs.images.queries import GeneratedImages
    from peftcore.models.base_model import BaseModel

pictures = typer.Typer(
    help="Models that draw from a prompt, and what an adapter's atoms change in their pictures.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(pictures, name="pictures")

Prompt = Annotated[str, typer.Option(help='What is asked for, such as "draw a three".')]
Count = Annotated[int, typer.Option(min=1, max=64, help="Pictures of the prompt.")]
Seed = Annotated[int, typer.Option(min=0, help="Which seed of the run, counted from 0.")]
LEVEL_SIGNS = {"digits": " .:*#", "scenes": ".rgbypk"}  # one sign for every level, for terminals


@pictures.command("draw")
def draw_images(
    prompt: Prompt,
    run: Annotated[str, typer.Option(help="Run whose adapter draws; empty: the base.")] = "",
    base: Annotated[str, typer.Option(help="Without a run: the base that draws.")] = "tiny-digits",
    atoms: Annotated[
        int | None, typer.Option(min=0, help="Keep only so many atoms, the most important first.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="Atoms kept first: earned, loss or importance.")
    ] = "earned",
    off: Annotated[list[int] | None, typer.Option(help="Atom to switch off; repeat it.")] = None,
    gain: Annotated[float, typer.Option(help="What --off multiplies by instead of 0.")] = 0.0,
    count: Count = 4,
    first: Annotated[int, typer.Option(min=0, help="Number of the first picture's chance.")] = 0,
    seed: Seed = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Draw a prompt with a run, with some of its atoms, or with the untouched base."""
    from peftcore.labs.images import queries as ask
    from peftcore.labs.images import results_store
    from peftcore.models.base_model import load
    from peftcore.training.checkpoint import load_adapter

    with_atoms = atoms is not None or bool(off)
    if not run:
        if with_atoms:
            raise BadInput("only a run has atoms; name one with --run")
        drawn = ask.generate_from_base(load(base), prompt, count, first)
    else:
        opened = results_store.open_image_run(run, with_atoms=with_atoms)
        model = load(opened.spec.base)
        drawn = (
            _draw_with_atoms(run, model, seed, by, atoms, off or [], gain, prompt, count, first)
            if with_atoms
            else ask.generate_from_run(
                opened, load_adapter(opened, model), seed, prompt, count, first
            )
        )
        base = opened.spec.base
    _show({"": drawn}, ask.image_world(base), drawn.to_json(), as_json)


def _draw_with_atoms(
    run: str,
    model: Any,
    seed: int,
    by: str,
    atoms: int | None,
    off: list[int],
    gain: float,
    prompt: str,
    count: int,
    first: int,
) -> GeneratedImages:
    """What one seed of a run draws with some of its atoms."""
    from peftcore.labs.images import atom_interventions, compute, results_store
    from peftcore.labs.images import queries as ask

    opened = results_store.open_image_run(run, with_atoms=True)
    dictionary = compute.load_dictionary(opened, model)
    ask.check_image_seed(opened, seed)
    order = compute.rank_run_atoms(opened, dictionary, seed, compute.parse_order(by))
    kept = dictionary.size if atoms is None else atoms
    if kept > dictionary.size or any(atom >= dictionary.size for atom in off):
        raise BadInput(f"run {run} has atoms 0 to {dictionary.size - 1}")
    gains = atom_interventions.gains_keeping_first(order, [kept])
    gains[:, off] *= gain
    return ask.generate_at_gains(dictionary, seed, gains, prompt, count, first)[0]


@pictures.command("layers")
def draw_by_layer(
    run: RunId, prompt: Prompt, count: Count = 4, seed: Seed = 0, as_json: printing.AsJson = False
) -> None:
    """Draw with no atoms, with each layer's alone, with all but each layer's, and with all."""
    from peftcore.labs.images import queries as ask

    opened, dictionary = _load_dictionary(run)
    ask.check_image_seed(opened, seed)
    drawn = ask.generate_by_layer(dictionary, seed, prompt, count)
    value = {name: each.to_json() for name, each in drawn.items()}
    _show(drawn, ask.image_world(opened.spec.base), value, as_json)


@pictures.command("atoms")
def list_atoms(
    run: RunId,
    most: Annotated[int, typer.Option(min=1, help="How many, those that earn most first.")] = 16,
    seed: Seed = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Name a run's most important atoms by what they bring to the pictures it drew."""
    from peftcore.labs.images import queries as ask

    opened, dictionary = _load_dictionary(run)
    world = ask.image_world(opened.spec.base)
    rows = [
        {
            "atom": e.atom,
            "layer": e.layer,
            "component": e.component,
            "importance": e.importance,
            "moves": e.size,
            "brings": e.describe(world),
        }
        for e in ask.describe_atoms(opened, dictionary, seed, most)
    ]
    heads = list(rows[0])
    printing.print_result(
        rows,
        as_json,
        lambda: printing.format_table(heads, [[row[h] for h in heads] for row in rows]),
    )


@pictures.command("prune")
def prune_image_atoms(
    run: RunId,
    examples: Annotated[
        int, typer.Option(min=0, help="New and old prompts judged, each; 0: all of the test split.")
    ] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Alignment of pictures with fewer and fewer atoms, for every seed, and keep the figure.

    It tells, too, how steadily pictures become what was asked for as atoms are added.
    """
    from dataclasses import asdict

    from peftcore.labs.images import results_store, summary

    results_store.open_image_run(run, with_atoms=True)
    figure = _measure_figure({"kind": "prune", "runs": [run], "examples": examples}, "atoms kept")
    band = summary.pruning_curve(figure)
    value = figure | {
        "curve": band.to_dict("records"),
        "rises": {
            by: asdict(summary.measure_monotonicity(figure, order=by))
            for by in summary.ranked_orders(figure)
        },
        "needed": {
            by: summary.fewest_sufficient_atoms(band, order=by)
            for by in summary.ranked_orders(figure)
        },
    }
    heads = ["order", "metric", "k", "mean", "low", "high", "n"]
    rows = band.sort_values(["metric", "order", "k"])[heads].to_numpy(dtype=object).tolist()
    printing.print_result(value, as_json, lambda: printing.format_table(heads, rows))


@pictures.command("combine")
def combine_image_runs(
    concept: Annotated[str, typer.Argument(metavar="RUN", help="Run on the unseen shape.")],
    style: Annotated[str, typer.Argument(metavar="RUN", help="Run on the unseen style.")],
    prompt: Annotated[
        str, typer.Option(help="Draw this instead of measuring prompts that need both.")
    ] = "",
    shares: Annotated[str, typer.Option(help="With --prompt: shares of both.")] = "1,1",
    count: Count = 4,
    seed: Seed = 0,
    examples: Annotated[
        int, typer.Option(min=0, help="Prompts judged that need both; 0: the usual 60.")
    ] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Two runs' atoms at once: alignment of prompts that need both, or pictures of one prompt."""
    from peftcore.labs.images import compute, results_store, summary
    from peftcore.labs.images import queries as ask

    first, dictionary = _load_dictionary(concept)
    second = results_store.open_image_run(style, with_atoms=True)
    if prompt:
        ask.check_image_seed(first, seed)
        ask.check_image_seed(second, seed)
        other = compute.load_dictionary(second, dictionary.base)
        drawn = ask.generate_with_joined_atoms(
            dictionary, other, seed, _shares(shares), prompt, count
        )
        value = {name: each.to_json() for name, each in drawn.items()}
        _show(drawn, "scenes", value, as_json)
        return
    figure = _measure_figure(
        {"kind": "combine", "runs": [concept, style], "examples": examples}, "both", dictionary.base
    )
    band = summary.mix_scores(figure)
    value = figure | {"bands": band.to_dict("records"),
                      "alone": summary.independent_alignment(first, second)}  # fmt: skip
    heads = ["with", "metric", "mean", "low", "high", "n"]
    rows = band[heads].to_numpy(dtype=object).tolist()
    printing.print_result(value, as_json, lambda: printing.format_table(heads, rows))


@pictures.command("compare")
def compare_image_runs(
    task: Annotated[str, typer.Argument(help="Task of pictures, as in `list`.")],
    as_json: printing.AsJson = False,
) -> None:
    """Alignment of every finished run on a task, new prompts and old, with intervals over seeds.

    Runs of atoms that were measured come with all of them and with as many as do best.
    """
    from peftcore.labs.images import results_store, summary

    if task not in results_store.TASKS:
        raise BadInput(f"no task of pictures {task!r}; known: {', '.join(results_store.TASKS)}")
    task_runs = results_store.finished_runs(task)
    measured = {run.id: results_store.load_figure(f"prune-{run.id}") for run in task_runs}
    band = summary.scores_by_method(
        task_runs, {name: figure for name, figure in measured.items() if figure}
    )
    heads = ["method", "run", "kept", "trainable", "metric", "mean", "low", "high", "n"]
    rows = band[heads].to_numpy(dtype=object).tolist()
    printing.print_result(
        band.to_dict("records"), as_json, lambda: printing.format_table(heads, rows)
    )


@pictures.command("make")
def make_image_runs(
    out: Annotated[Path, typer.Option(help="Folder to write runs and figures to.")],
    as_json: printing.AsJson = False,
) -> None:
    """Make the runs and figures of pictures that ship again; what is done already is kept."""
    from peftcore.cli.training import train_or_load
    from peftcore.labs.images import demo_runs

    runs = demo_runs.ship_image_runs(
        out.expanduser(),
        lambda run: train_or_load(run.spec, "cpu"),
        lambda words: typer.echo(words, err=True),
    )
    value = [{"run": r.id, "task": r.spec.task, "method": r.spec.method,
              "scores": run_scores.scores_with_intervals(r)} for r in runs]  # fmt: skip
    printing.print_result(
        value, as_json, lambda: (f"run {r.id}: {r.spec.task}, {r.spec.method}" for r in runs)
    )


def _measure_figure(
    settings: dict[str, Any], what: str, base: BaseModel | None = None
) -> dict[str, Any]:
    """The figure of a measurement that was brought to its end; Ctrl+C keeps what there is."""
    from peftcore.labs.images import results_store
    from peftcore.labs.images.request import ImagesJob, ImagesRequest, run_images_job

    job = ImagesJob.create_own(ImagesRequest.make(settings))
    if job.status().state == "done":  # asked for again: measured again
        job.clear()
        job.write_status(state="cancelled", done=0, seconds=0.0)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with _bar(what) as report:
        status = run_images_job(job, base=base, report=report)
    if status.state != "done":
        typer.echo(status.message, err=True)
        raise typer.Exit(1)
    figure = results_store.load_figure(job.request.figure_name)
    assert figure is not None, "it was kept a moment ago"
    return figure


def _load_dictionary(run: str) -> tuple[Any, Any]:
    """A run and the atoms of all its seeds."""
    from peftcore.labs.images import compute, results_store
    from peftcore.models.base_model import load

    opened = results_store.open_image_run(run, with_atoms=True)
    return opened, compute.load_dictionary(opened, load(opened.spec.base))


def _shares(text: str) -> tuple[float, float]:
    try:
        one, other = (float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"shares are two numbers with a comma between; got {text!r}") from None
    return one, other


def _bar(what: str) -> Any:
    """A progress bar that is told how many of how many."""
    from contextlib import contextmanager

    from peftcore.training.trainer import TrainingProgress

    @contextmanager
    def shown() -> Iterator[Any]:
        with printing.progress_bar(what) as report:
            yield lambda done, of: report(
                TrainingProgress("drawing", done, of, [], None, 0.0, 0.0, None, [])
            )

    return shown()


def _show(drawn: dict[str, GeneratedImages], world: str, value: Any, as_json: bool) -> None:
    """Pictures as JSON, or side by side in signs."""

    def lines() -> Iterator[str]:
        for name, each in drawn.items():
            share = "" if each.alignment is None else f": {100 * each.alignment:.0f} % as asked"
            yield f"{name or each.prompt}{share}"
            for row in range(8):
                yield "   ".join(
                    "".join(LEVEL_SIGNS[world][level] for level in picture[8 * row : 8 * row + 8])
                    for picture in each.pictures
                )
            yield "; ".join(each.descriptions)

    printing.print_result(value, as_json, lines)
