"""Commands about images: draw, split by layer, name atoms, remove them, join two runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from peftcore.api.bases import load_base
from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.errors import BadInput
from peftcore.labs.images import atom_interventions, compute, queries, results_store, summary
from peftcore.labs.images.queries import GeneratedImages
from peftcore.labs.images.request import ImagesJob, ImagesRequest
from peftcore.models.base_model import BaseModel
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training.checkpoint import load_adapter

images = typer.Typer(no_args_is_help=True)
app.add_typer(
    images, name="images", help="Draw from a prompt, and see what an adapter's atoms change."
)

Prompt = Annotated[str, typer.Option(help='What is asked for, such as "draw a three".')]
Count = Annotated[int, typer.Option(min=1, max=64, help="Images of the prompt.")]
Seed = Annotated[int, typer.Option(min=0, help="Which seed of the run, counted from 0.")]
LEVEL_SIGNS = {"digits": " .:*#", "scenes": ".rgbypk"}  # one sign for every level, for terminals


@dataclass(frozen=True)
class PromptOptions:
    """A prompt, the number of images, and the seed that draws."""

    prompt: Prompt
    count: Count = 4
    seed: Seed = 0


@dataclass(frozen=True)
class AtomOptions:
    """Atoms of a run that draw, and how much of those switched off."""

    atoms: Annotated[
        int | None, typer.Option(min=0, help="Keep only so many atoms, the most important first.")
    ] = None
    by: Annotated[str, typer.Option(help="Atoms kept first: earned, loss or importance.")] = (
        "earned"
    )
    off: Annotated[list[int] | None, typer.Option(help="Atom to switch off; repeat it.")] = None
    gain: Annotated[float, typer.Option(help="What --off multiplies by instead of 0.")] = 0.0

    @property
    def given(self) -> bool:
        """Tell whether some atoms are left out."""
        return self.atoms is not None or bool(self.off)


@images.command("draw")
@grouped
def draw_images(
    read: PromptOptions,
    atoms: AtomOptions,
    run: Annotated[str, typer.Option(help="Run whose adapter draws; empty: the base.")] = "",
    base: Annotated[str, typer.Option(help="Without a run: the base that draws.")] = "tiny-digits",
    first: Annotated[int, typer.Option(min=0, help="Number of the first image's chance.")] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Draw a prompt with a run, with some of its atoms, or with the untouched base."""
    if run:
        drawn, base = _draw_with_run(run, read, atoms, first)
    elif atoms.given:
        raise BadInput("only a run has atoms; name one with --run")
    else:
        loaded = load_base(base, device="cpu")
        drawn = queries.generate_from_base(loaded, read.prompt, read.count, first)
    _show({"": drawn}, queries.image_world(base), drawn.to_json(), as_json)


def _draw_with_run(
    run: str, read: PromptOptions, atoms: AtomOptions, first: int
) -> tuple[GeneratedImages, str]:
    """Draw with one seed of a run, all of it or some of its atoms; also names its base."""
    opened = results_store.open_image_run(run, with_atoms=atoms.given)
    model, name = load_base(opened.spec.base, device="cpu"), opened.spec.base
    if not atoms.given:
        adapted = load_adapter(opened, model)
        return queries.generate_from_run(
            opened, adapted, read.seed, read.prompt, read.count, first
        ), name
    dictionary = compute.load_dictionary(opened, model)
    queries.check_image_seed(opened, read.seed)
    order = compute.rank_run_atoms(opened, dictionary, read.seed, compute.parse_order(atoms.by))
    kept, off = dictionary.size if atoms.atoms is None else atoms.atoms, atoms.off or []
    if kept > dictionary.size or any(atom >= dictionary.size for atom in off):
        raise BadInput(f"run {run} has atoms 0 to {dictionary.size - 1}")
    gains = atom_interventions.gains_keeping_first(order, [kept])
    gains[:, off] *= atoms.gain
    drawn = queries.generate_at_gains(dictionary, read.seed, gains, read.prompt, read.count, first)
    return drawn[0], name


@images.command("layers")
def draw_by_layer(
    run: RunId, prompt: Prompt, count: Count = 4, seed: Seed = 0, as_json: printing.AsJson = False
) -> None:
    """Draw with no atoms, with each layer's alone, with all but each layer's, and with all."""
    opened, dictionary = _load_dictionary(run)
    queries.check_image_seed(opened, seed)
    drawn = queries.generate_by_layer(dictionary, seed, prompt, count)
    value = {name: each.to_json() for name, each in drawn.items()}
    _show(drawn, queries.image_world(opened.spec.base), value, as_json)


@images.command("atoms")
def list_atoms(
    run: RunId,
    most: Annotated[int, typer.Option(min=1, help="How many, those that earn most first.")] = 16,
    seed: Seed = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Name a run's most important atoms by what they bring to the images it drew."""
    opened, dictionary = _load_dictionary(run)
    world = queries.image_world(opened.spec.base)
    rows = [
        {
            "atom": e.atom,
            "layer": e.layer,
            "component": e.component,
            "importance": e.importance,
            "moves": e.size,
            "brings": e.describe(world),
        }
        for e in queries.describe_atoms(opened, dictionary, seed, most)
    ]
    printing.print_records(rows, as_json)


@images.command("prune")
def prune_image_atoms(
    run: RunId,
    examples: Annotated[
        int, typer.Option(min=0, help="New and old prompts judged, each; 0: all of the test split.")
    ] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Measure alignment with fewer and fewer atoms, for every seed, and keep the figure.

    Also how steadily images become what was asked for as atoms are added.
    """
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
    printing.print_records(band.sort_values(["metric", "order", "k"]), as_json, heads, value)


@dataclass(frozen=True)
class JoinOptions:
    """A prompt for the atoms of two runs, and the share of each."""

    prompt: Annotated[
        str, typer.Option(help="Draw this instead of measuring prompts that need both.")
    ] = ""
    shares: Annotated[str, typer.Option(help="With --prompt: shares of both.")] = "1,1"
    count: Count = 4
    seed: Seed = 0


@images.command("combine")
@grouped
def combine_image_runs(
    runs: Annotated[
        tuple[str, str],
        typer.Argument(metavar="RUN RUN", help="A run on the unseen shape, one on the style."),
    ],
    read: JoinOptions,
    examples: Annotated[
        int, typer.Option(min=0, help="Prompts judged that need both; 0: the usual 60.")
    ] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Use two runs' atoms at once: alignment of prompts that need both, or images of one prompt."""
    first, dictionary = _load_dictionary(runs[0])
    second = results_store.open_image_run(runs[1], with_atoms=True)
    if read.prompt:
        for run in (first, second):
            queries.check_image_seed(run, read.seed)
        other = compute.load_dictionary(second, dictionary.base)
        drawn = queries.generate_with_joined_atoms(
            (dictionary, other),
            read.seed,
            options.parse_shares(read.shares),
            read.prompt,
            read.count,
        )
        value = {name: each.to_json() for name, each in drawn.items()}
        _show(drawn, "scenes", value, as_json)
        return
    figure = _measure_figure(
        {"kind": "combine", "runs": list(runs), "examples": examples}, "both", dictionary.base
    )
    band = summary.mix_scores(figure)
    value = figure | {"bands": band.to_dict("records"),
                      "alone": summary.independent_alignment(first, second)}  # fmt: skip
    heads = ["with", "metric", "mean", "low", "high", "n"]
    printing.print_records(band, as_json, heads, value)


@images.command("compare")
def compare_image_runs(
    task: Annotated[str, typer.Argument(help="Task of images, as in `list`.")],
    as_json: printing.AsJson = False,
) -> None:
    """Compare every finished run on a task, new prompts and old, with intervals over seeds.

    Runs of atoms that were measured come with all of them and with as many as do best.
    """
    if task not in results_store.TASKS:
        raise BadInput(f"no task of images {task!r}; known: {', '.join(results_store.TASKS)}")
    task_runs = results_store.finished_runs(task)
    measured = {run.id: results_store.load_figure(f"prune-{run.id}") for run in task_runs}
    band = summary.scores_by_method(
        task_runs, {name: figure for name, figure in measured.items() if figure}
    )
    heads = ["method", "run", "kept", "trainable", "metric", "mean", "low", "high", "n"]
    printing.print_records(band, as_json, heads)


def _measure_figure(
    settings: dict[str, Any], what: str, base: BaseModel | None = None
) -> dict[str, Any]:
    """Bring a measurement to its end, and read its figure; Ctrl+C keeps what there is."""
    job = ImagesJob.create_own(ImagesRequest.make(settings))
    if job.status().state == "done":  # asked for again: measured again
        job.clear()
        job.write_status(state="cancelled", done=0, seconds=0.0)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar(what) as report:
        status = compute.run_images_job(job, preloaded_base=base, report=report)
    if status.state != "done":
        typer.echo(status.message, err=True)
        raise typer.Exit(1)
    figure = results_store.load_figure(job.request.figure_name)
    assert figure is not None, "it was kept a moment ago"
    return figure


def _load_dictionary(run: str) -> tuple[Any, Any]:
    """Load a run and the atoms of all its seeds."""
    opened = results_store.open_image_run(run, with_atoms=True)
    return opened, compute.load_dictionary(opened, load_base(opened.spec.base, device="cpu"))


def _show(drawn: dict[str, GeneratedImages], world: str, value: Any, as_json: bool) -> None:
    """Print images as JSON, or side by side in signs."""

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
