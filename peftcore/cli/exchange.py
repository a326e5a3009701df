"""Commands that exchange runs with other programs and machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from peftcore import paths
from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.errors import BadInput, unknown_name
from peftcore.exchange import bundle as bundles
from peftcore.exchange import folders, trackers
from peftcore.exchange import reproduce as reproduction
from peftcore.runs.store import RunStore
from peftcore.sweeps import tuning_budget
from peftcore.system import printing
from peftcore.system.option_groups import grouped

FORMATS: tuple[Literal["peft", "merged"], ...] = ("peft", "merged")
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the peft package.")]


@app.command("export")
def export_run(
    run: RunId,
    to: Annotated[
        str,
        typer.Option(
            help="peft, or merged: the base with changed weights; or a tracker that is installed: "
            f"{', '.join(trackers.WRITERS)}."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="New folder to write, for peft and merged.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed to export; otherwise the first, in a tracker all of them."),
    ] = None,
    project: Annotated[
        str, typer.Option(help=f"Project of the tracker; otherwise {trackers.PROJECT}.")
    ] = "",
    moved_positions: Annotated[
        bool,
        typer.Option(
            "--moved-positions",
            help="For a prefix on learned positions: position_ids will begin below zero.",
        ),
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Write what one seed of a run learnt for other programs; of a simplex, the centroid.

    To a tracker go spec, losses, scores and the adapter, each seed as a run of its own.
    """
    if to not in (*FORMATS, *trackers.WRITERS):
        raise unknown_name("format", to, (*FORMATS, *trackers.WRITERS))
    opened_run = RunStore().open(run)
    if to in trackers.WRITERS:
        names = trackers.export_to_tracker(
            opened_run, to, project, None if seed is None else [seed]
        )
        where = {"run": run, "tracker": to, "project": project or trackers.PROJECT, "runs": names}
        say = f"run {run} is in {to}, project {where['project']}: {', '.join(names)}"
        printing.print_result(where, as_json, lambda: iter([say]))
        return
    if out is None:
        raise BadInput(f"name the new folder for {to}: --out FOLDER")
    number = opened_run.spec.population.first_seed if seed is None else seed
    if to == "peft":
        notes = folders.export_peft(opened_run, number, out, moved_positions=moved_positions)
    else:
        notes = folders.export_merged(opened_run, number, out)
    file_names = sorted(path.name for path in paths.expand(out).iterdir())
    value = {"run": run, "seed": number, "folder": str(out), "files": file_names, "notes": notes}

    def lines() -> Iterator[str]:
        yield f"seed {number} of run {run} is in {out}: {', '.join(file_names)}"
        yield from notes

    printing.print_result(value, as_json, lines)


@app.command("import")
def import_folder(
    folder: Folder, base: options.Base, task: options.Task, as_json: printing.AsJson = False
) -> None:
    """Make a run of an adapter in the format of the peft package."""
    run = folders.import_peft(folder, base, task)
    value = {
        "run": run.id,
        "method": run.spec.method,
        "settings": run.spec.settings,
        "trainable": run.status().trainable,
        "notes": run.manifest()["imported"].get("notes", []),
    }
    say = f"run {run.id}: {run.spec.method} for {base}, imported without scores"
    notes = [f"note: {note}" for note in value["notes"]]
    printing.print_result(value, as_json, lambda: iter([say, *notes]))


@app.command()
def bundle(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of finished runs.")],
    out: Annotated[Path, typer.Option(help="New zip file to write.")],
    with_answers: Annotated[
        bool,
        typer.Option(
            "--with-answers", help="Include the answers, which quote the data they answer."
        ),
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Pack all that decides and proves the scores of some runs in one zip."""
    store = RunStore()
    chosen = [store.open(run) for run in dict.fromkeys(runs)]
    tried = tuning_budget.tried_rates(chosen, store.all())
    members = bundles.write_bundle(chosen, out, with_answers, tried)
    size = paths.expand(out).stat().st_size
    value = {"bundle": str(out), "bytes": size, "answers": with_answers, "files": members}

    def lines() -> Iterator[str]:
        yield f"{out} has {len(members)} files, {size:,} bytes"
        if not with_answers:
            yield bundles.ANSWERS_LEFT_OUT

    printing.print_result(value, as_json, lines)


@app.command()
@grouped
def reproduce(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A zip made by `bundle`.")],
    resources: options.Resources,
    check: Annotated[bool, typer.Option("--check", help="Compare, and train nothing.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Check a bundle against this machine, train its runs again, and compare the scores."""
    resources.use_data()
    if check:
        report = reproduction.ReproductionReport(
            reproduction.find_differences(*reproduction.open_bundle(bundle))
        )
    else:
        with printing.progress_bar("reproducing") as tell:
            report = reproduction.reproduce(bundle, device=resources.device, report=tell)
    printing.print_result(_value(report), as_json, lambda: _lines(report))
    if any(finding.fatal for finding in report.findings):
        raise typer.Exit(1)


def _value(report: Any) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in report.findings],
        "scores": [asdict(s) | {"difference": s.difference} for s in report.scores],
        "imported": report.imported,
        "identical": report.identical,
        "folder": report.folder,
    }


def _lines(report: Any) -> Iterator[str]:
    for finding in report.findings:
        mark = "differs" if finding.fatal else "note"
        yield f"{mark}: {finding.sentence}"
    if not report.findings:
        yield "Files, base, data and versions are the same."
    for run in report.imported:
        yield f"run {run} was trained elsewhere and cannot be trained again"
    if report.scores:
        heads = ["run", "metric", "seed", "old", "new", "difference"]
        rows = [(s.run, s.metric, s.seed, s.old, s.new, s.difference) for s in report.scores]
        yield from printing.format_table(heads, rows)
        yield "identical" if report.identical else "not identical"
