"""Commands about runs as a set: list, filter, name, tag, archive, restore, clean."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, cast

import typer

from peftcore import paths
from peftcore.analysis import run_sets
from peftcore.analysis.run_sets import ListedRun, RunFilter
from peftcore.api import results, run_lists, run_uses
from peftcore.cli import app, options, run_scores
from peftcore.cli.groups import DefaultGroup
from peftcore.errors import BadInput, unknown_name
from peftcore.jobs import queue as run_queue
from peftcore.runs import annotation, disk_use, recycle_bin
from peftcore.runs.annotation import Annotation
from peftcore.runs.disk_use import Cleanable
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RUN_ID, Run, RunStore
from peftcore.system import printing, rights
from peftcore.system.option_groups import grouped
from peftcore.training import spec_changes
from peftcore.training.protocols import PROTOCOLS, find_protocol

runs = typer.Typer(cls=DefaultGroup)
app.add_typer(runs, name="runs", help="List runs, newest first; filter, name, tag, restore them.")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as in `runs`.")]
RunIds = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, as in `runs`.")]
Several = list[str] | None


@dataclass(frozen=True)
class FilterOptions:
    """Which runs are wanted; each option may be repeated, and then any of its values will do."""

    task: Annotated[Several, typer.Option(help="Only runs on this task.")] = None
    base: Annotated[Several, typer.Option(help="Only runs on this base model.")] = None
    method: Annotated[Several, typer.Option(help="Only runs of this method.")] = None
    state: Annotated[Several, typer.Option(help="Only runs in this state, such as done.")] = None
    tag: Annotated[Several, typer.Option(help="Only runs with this tag.")] = None
    where: Annotated[
        Several, typer.Option(help="Only runs with this setting, such as training.steps=60.")
    ] = None
    text: Annotated[str, typer.Option(help="Only runs with these words in name or note.")] = ""
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs, too.")] = False

    def build(self) -> RunFilter:
        """Return the filter; BadInput if a setting is not name=value."""
        pairs = [_split_setting(text) for text in self.where or ()]
        return RunFilter(
            text=self.text,
            tasks=tuple(self.task or ()),
            bases=tuple(self.base or ()),
            methods=tuple(self.method or ()),
            states=tuple(self.state or ()),
            tags=tuple(self.tag or ()),
            settings={n: tuple(v for name, v in pairs if name == n) for n, _ in pairs},
            archived=self.archived,
        )


def _split_setting(text: str) -> tuple[str, str]:
    name, value = options.parse_setting(text)
    return name, run_sets.setting_text(value)


@runs.command("list")
@grouped
def list_runs(
    which: FilterOptions,
    group: Annotated[
        str | None,
        typer.Option(help="Mean and spread for each value of a setting, such as training.shots."),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """List runs, newest first; damaged ones are named apart."""
    store = RunStore()
    listed = run_lists.list_runs(store, which.build())
    if group:
        _print_groups(listed, group, as_json)
        return
    summaries = [_summary(store.open(each.id), each) for each in listed]

    def lines() -> Iterator[str]:
        if not summaries:
            yield "No runs yet; `train` makes one." if which == FilterOptions() else "No run fits."
            return
        heads = ["run", "state", "base", "task", "method", "seeds", "metric", "mean", "name, tags"]
        yield from printing.format_table(heads, [_line(row) for row in summaries])

    printing.print_result(summaries, as_json, lines)
    for run, reason in store.damaged().items():
        typer.echo(f"Left out: run {run}, {reason}; `set-aside {run}` moves it away.", err=True)


def _print_groups(listed: Sequence[ListedRun], setting: str, as_json: bool) -> None:
    """Print mean and spread of the runs with each value of a setting."""
    known = {"task", "base", "method", *run_sets.settings_that_vary(listed)}
    if listed and setting not in known:
        raise unknown_name("setting", setting, sorted(known))
    table = run_sets.group_runs(listed, setting).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    printing.print_result(rows, as_json, lambda: printing.format_records(table))


def _summary(run: Run, listed: ListedRun) -> dict[str, Any]:
    status, spec, words = run.status(), run.spec, listed.annotation
    return {
        "run": run.id,
        "state": status.state,
        "base": spec.base,
        "task": spec.task,
        "method": spec.method,
        "seeds": spec.population.seeds,
        "scores": run_scores.scores_with_intervals(run),
        "forgetting": run_scores.forgetting_with_intervals(run),
        "step": status.step,
        "steps": status.steps,
        "seconds": round(status.seconds, 2),
        "processor_seconds": status.processor_seconds,
        "peak_memory": status.peak_memory,
        "peak_device_memory": status.peak_device_memory,
        "trainable": status.trainable,
        "message": status.message,
        "demo": run.demo,
        "name": words.name,
        "note": words.note,
        "tags": list(words.tags),
        "archived": words.archived,
        "who": rights.owner_of(f"run {run.id}"),
    }


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    metric = results.main_metric(row["task"], list(row["scores"]))
    mean = row["scores"][metric]["mean"] if metric else None
    names = (row[name] for name in ("run", "state", "base", "task", "method", "seeds"))
    words = " ".join([row["name"], *(f"#{tag}" for tag in row["tags"])]).strip()
    return (*names, metric or "", mean, words)


def _print_annotation(run: str, found: Annotation, as_json: bool) -> None:
    value = {"run": run} | found.model_dump(mode="json")

    def lines() -> Iterator[str]:
        yield f"run {run}: {found.name or 'no name'}"
        yield f"tags: {', '.join(found.tags) or 'none'}"
        if found.note:
            yield found.note

    printing.print_result(value, as_json, lines)


@runs.command()
def rename(
    run: RunId,
    name: Annotated[str, typer.Argument(help="What it is called in lists; empty for nothing.")],
    as_json: printing.AsJson = False,
) -> None:
    """Give a run a name of its own; its id stays."""
    _print_annotation(run, annotation.annotate(RunStore().open(run), name=name), as_json)


@runs.command()
def note(
    run: RunId,
    text: Annotated[
        str | None, typer.Argument(help="The note, which replaces the one before; empty: none.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Write a note to a run, or read it."""
    opened = RunStore().open(run)
    if text is None:
        found = annotation.read_annotation(opened)
    else:
        found = annotation.annotate(opened, note=text)
    _print_annotation(run, found, as_json)


@runs.command()
def tag(
    run_ids: RunIds,
    add: Annotated[Several, typer.Option(help="A tag to add; repeat it for more.")] = None,
    remove: Annotated[Several, typer.Option(help="A tag to take away.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Add tags to runs, and take others away."""
    found = {run.id: annotation.change_tags(run, add or (), remove or ()) for run in _open(run_ids)}
    value = [{"run": run, "tags": list(each.tags)} for run, each in found.items()]

    def lines() -> Iterator[str]:
        yield from (f"run {row['run']}: {', '.join(row['tags']) or 'no tags'}" for row in value)

    printing.print_result(value, as_json, lines)


@runs.command()
def archive(
    run_ids: RunIds,
    undo: Annotated[bool, typer.Option("--undo", help="Back into the list.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Leave runs out of the list; nothing else changes, and links to them keep working."""
    for run in _open(run_ids):
        annotation.annotate(run, archived=not undo)
    say = "back in the list" if undo else "archived"
    _print_done("runs", run_ids, say, as_json)


def _open(run_ids: Sequence[str]) -> list[Run]:
    """Open all runs before anything is done to one of them."""
    store = RunStore()
    return [store.open(run) for run in dict.fromkeys(run_ids)]


def _print_done(key: str, run_ids: Sequence[str], say: str, as_json: bool) -> None:
    value = {key: list(run_ids)}
    printing.print_result(value, as_json, lambda: (f"run {run} is {say}" for run in run_ids))


@runs.command("delete")
def delete_runs(
    run_ids: RunIds,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Move runs to the bin, from which `runs restore` brings them back for 30 days."""
    store, found = RunStore(), _open(run_ids)
    if not yes and not as_json:
        typer.confirm(f"Delete {len(found)} runs?", abort=True, err=True)
    for run in found:
        store.delete(run.id)
    _print_done("deleted", run_ids, "in the bin", as_json)


@runs.command()
def restore(run_ids: RunIds, as_json: printing.AsJson = False) -> None:
    """Bring deleted runs back with all their results."""
    store = RunStore()
    for run in run_ids:
        store.restore(run)
    _print_done("restored", run_ids, "back", as_json)


@runs.command()
def deleted(
    empty: Annotated[
        bool, typer.Option("--empty", help="Delete for good what is in the bin.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """List the runs in the bin, and how long each stays there."""
    store = RunStore()
    if empty:
        rights.administer("empty", "the bin")
        gone = recycle_bin.empty_bin(store.folder, 0)
        _print_done("deleted_for_good", gone, "deleted for good", as_json)
        return
    rows = [
        {"run": each.id, "deleted": _moment(each.deleted), "days_left": round(each.days_left, 1)}
        for each in store.deleted()
    ]

    def lines() -> Iterator[str]:
        cells = [tuple(row.values()) for row in rows]
        heads = ["run", "deleted", "days left"]
        yield from printing.format_table(heads, cells) if rows else ("The bin is empty.",)

    printing.print_result(rows, as_json, lines)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


@runs.command()
def disk(as_json: printing.AsJson = False) -> None:
    """List what each run of one's own takes on the disk, in bytes by part."""
    found = RunStore().all(include_demos=False)
    rows = [{"run": run.id} | dict(disk_use.disk_use(run)) for run in found]
    rows.sort(key=lambda row: -sum(v for v in row.values() if isinstance(v, int)))

    def lines() -> Iterator[str]:
        heads = ["run", *disk_use.PART_NAMES.values()]
        cells = [tuple(row.values()) for row in rows]
        yield from printing.format_table(heads, cells) if rows else ("No runs yet.",)

    printing.print_result(rows, as_json, lines)


@runs.command()
def clean(
    run_ids: RunIds,
    part: Annotated[
        Several, typer.Option(help="checkpoint (unless named otherwise) or path.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Delete checkpoints or intermediate adapters; scores, answers and the adapter stay.

    Without its checkpoint a run that stopped short can only begin anew.
    """
    parts = part or ["checkpoint"]
    for name in parts:
        if name not in ("checkpoint", "path"):
            raise unknown_name("part", name, ("checkpoint", "path"))
    found, freed = _open(run_ids), 0
    if active := [run.id for run in found if run.status().active]:
        raise BadInput(f"run {active[0]} is at work or waits; cancel it before cleaning it")
    for run in found:
        freed += disk_use.clean(run, cast("tuple[Cleanable, ...]", tuple(parts)))
    value = {"runs": list(run_ids), "freed": freed}
    printing.print_result(value, as_json, lambda: iter([f"{freed:,} bytes are free again"]))


@runs.command("next")
def next_steps(run: RunId, as_json: printing.AsJson = False) -> None:
    """Say what can be done with a run next: labs, comparison, rating, export."""
    store = RunStore()
    opened = store.open(run)
    uses = run_uses.uses_of_run(opened, store.all())

    def lines() -> Iterator[str]:
        yield f"labs: {', '.join(uses.labs) or 'none'}"
        if uses.alike:
            yield f"compare: python -m peftcore compare {' '.join([run, *uses.alike[:7]])}"
        if uses.rate:
            yield f"rate: python -m peftcore rating create {run}"
        if uses.export:
            yield f"export: python -m peftcore export {run} --to peft --out FOLDER"
        if uses.reason:
            yield uses.reason

    printing.print_result({"run": run} | asdict(uses), as_json, lines)


@runs.command()
def again(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id of a run, or a file with a spec as JSON.")
    ],
    sets: options.Sets = None,
    device: options.Device = "auto",
    preview: Annotated[
        bool, typer.Option("--preview", help="Say what would change, and train nothing.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Queue a run's spec again with changes, given as --set steps=60."""
    source = _read_source(run)
    spec = spec_changes.vary_spec(source, options.spec_sections(source.method, sets))
    changes = spec_changes.changes_between(source, spec)
    value: dict[str, Any] = {
        "run": spec.id,
        "changes": [asdict(change) for change in changes],
    }
    if not preview:
        queue = run_queue.Queue()
        job = queue.submit(spec, device=device)
        value["state"] = job.state
        if job.active:
            run_queue.ensure_worker(device, queue)

    def lines() -> Iterator[str]:
        yield from (f"{each.name}: {each.before} -> {each.after}" for each in changes)
        if not changes:
            yield "nothing is changed, so it is the same run"
        yield f"run {spec.id}: {value.get('state', 'not queued')}"

    printing.print_result(value, as_json, lines)


def _read_source(name: str) -> RunSpec:
    """Read the spec of a run, or of a file."""
    if RUN_ID.fullmatch(name):
        return RunStore().open(name).spec
    file = paths.expand(name)
    if not file.is_file():
        raise BadInput(f"{name[:60]!r} is neither the id of a run nor a file with a spec")
    return spec_changes.read_spec(file.read_bytes())


@runs.command()
def protocols(
    name: Annotated[
        str | None, typer.Argument(help="A protocol, to print the specs of its runs.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """List the papers' protocols that a run can begin with, or print the specs of one."""
    if name:
        specs = find_protocol(name).specs()
        values = [spec.model_dump(mode="json") for spec in specs.values()]
        printing.print_result(values, as_json, lambda: (json.dumps(each) for each in values))
        return
    rows = [
        {"protocol": key, "source": each.source, "title": each.title, "note": each.note}
        for key, each in PROTOCOLS.items()
    ]

    def lines() -> Iterator[str]:
        cells = [(row["protocol"], row["source"], row["title"]) for row in rows]
        yield from printing.format_table(["protocol", "source", "title"], cells)

    printing.print_result(rows, as_json, lines)
