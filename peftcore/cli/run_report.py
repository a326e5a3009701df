"""`report RUN …`: a comparison as one HTML file that can be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from peftcore import paths
from peftcore.analysis.inference import POPULATIONS
from peftcore.cli import app
from peftcore.cli.rating import open_rating_store
from peftcore.errors import BadInput, unknown_name
from peftcore.experiments import studies
from peftcore.rating import reporting
from peftcore.reports.groups import ReportOptions
from peftcore.reports.human import RatedProject
from peftcore.reports.sentences import headline
from peftcore.reports.write import Report, build_report, report_html
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps import tuning_budget
from peftcore.sweeps.spec import SweepJob
from peftcore.system import atomic_files, printing
from peftcore.system.option_groups import grouped


@dataclass(frozen=True)
class WhatOptions:
    """Options that say which runs a report is about, beside those that are named."""

    sweep: Annotated[
        str | None, typer.Option(help="A sweep: its id, or the file that describes it.")
    ] = None
    project: Annotated[
        str | None, typer.Option(help="A rating project: its runs and its scores.")
    ] = None
    experiment: Annotated[
        str | None, typer.Option(help="A named experiment, as far as its runs are done.")
    ] = None

    def words(self) -> list[str]:
        """Return the options as they were written."""
        named = {"sweep": self.sweep, "project": self.project, "experiment": self.experiment}
        return [word for name, value in named.items() if value for word in (f"--{name}", value)]


@dataclass(frozen=True)
class JudgeOptions:
    """Options of how the runs are judged."""

    metric: Annotated[
        str | None, typer.Option(help="Metric; otherwise the first of each task.")
    ] = None
    margin: Annotated[
        float | None,
        typer.Option(help="Points of the metric's range within which runs count as equal."),
    ] = None
    population: Annotated[
        str,
        typer.Option(
            help="Whom intervals are about: 'this task' (other seeds and test examples) or "
            "'these examples' (other seeds)."
        ),
    ] = POPULATIONS[0]
    across_bases: Annotated[
        bool, typer.Option("--across-bases", help="Compare runs on different bases.")
    ] = False


@app.command("report")
@grouped
def report_runs(
    what: WhatOptions,
    judge: JudgeOptions,
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Ids of runs.")] = None,
    title: Annotated[str, typer.Option(help="Title; otherwise the tasks.")] = "",
    no_texts: Annotated[
        bool, typer.Option("--no-texts", help="Quote no example and no answer.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Write a comparison of runs as one HTML file, with verdicts, figures, tables and sources."""
    if judge.population not in POPULATIONS:
        raise unknown_name("population", judge.population, POPULATIONS)
    target = paths.expand(out)
    if not target.parent.is_dir():
        raise BadInput(f"there is no folder {str(target.parent)!r}")
    chosen = _chosen_runs(runs or [], what)
    options = ReportOptions(
        judge.metric or "",
        judge.margin,
        judge.population,
        title,
        with_texts=not no_texts,
        across_bases=judge.across_bases,
    )
    named = [*(runs or []), *what.words()]
    tried = tuning_budget.tried_rates(chosen, RunStore().all())
    report = build_report(chosen, options, _rated(chosen, what.project), named, tried)
    atomic_files.replace_file(target, report_html(report).encode())
    _print(report, out, as_json)


def _print(report: Report, out: Path, as_json: bool) -> None:
    size = paths.expand(out).stat().st_size
    sentences = [headline(group) for group in report.grouped.groups]
    value = {
        "report": str(out),
        "bytes": size,
        "runs": [run.id for run in report.grouped.runs],
        "left_out": [run.id for run in report.grouped.unscored],
        "headlines": sentences,
    }

    def lines() -> Iterator[str]:
        yield from sentences
        yield f"{out} has {size:,} bytes"

    printing.print_result(value, as_json, lines)


def _chosen_runs(names: Sequence[str], what: WhatOptions) -> list[Run]:
    """Open the runs that are named, and those of a sweep, a project or an experiment."""
    store, shipped = RunStore(), _shipped_sweep_runs()
    found = [shipped.get(name) or store.open(name) for name in dict.fromkeys(names)]
    if what.sweep:
        found += _runs_of_sweep(what.sweep, store, shipped)
    if what.project:
        rating_store, me = open_rating_store()
        known = reporting.runs_of_project(rating_store, me, what.project)
        found += [store.open(name) for name in known]
    if what.experiment:
        found += [run for _, run in studies.find(what.experiment).grid().done]
    if not found:
        raise BadInput(
            "name the runs of the report, or a --sweep, --project or --experiment with runs "
            "that are done"
        )
    return found


def _shipped_sweep_runs() -> dict[str, Run]:
    """Return id → run of the sweep that ships, which no list of runs has."""
    folder = paths.ASSETS / "sweep_runs"
    return {run.id: run for run in RunStore(folder).all(include_demos=False)}


def _runs_of_sweep(name: str, store: RunStore, shipped: Mapping[str, Run]) -> list[Run]:
    """Open the runs of a sweep that are done; the sweep goes by its id or its file."""
    if Path(name).suffix in (".yaml", ".yml", ".json"):
        request = sweep_spec.read(Path(name))
    else:
        request = SweepJob.open(name).request
    runs = [store.find(spec) or shipped.get(spec.id) for spec in request.specs()]
    done = [run for run in runs if run is not None and run.status().state == "done"]
    if not done:
        raise BadInput(f"no run of sweep {name} is done; `sweep status` says how it stands")
    return done


def _rated(runs: Sequence[Run], project: str | None) -> list[RatedProject]:
    """Read what people gave the explanations of these runs, in one project or in all."""
    rating_store, me = open_rating_store()
    if project:
        return [reporting.rated_project(rating_store, me, project)]
    return reporting.rated_projects(rating_store, me, [run.id for run in runs])
