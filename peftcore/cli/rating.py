"""Commands for human ratings: rating create, list, serve-link, export, import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from peftcore import rating
from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.rating import (
    Invitation,
    Project,
    RatingStore,
    bundle,
    demo,
    link_code,
    ratings_import,
)
from peftcore.rating import export as exporting
from peftcore.rating.access import called
from peftcore.runs.store import RunStore
from peftcore.system import atomic_files, printing, rights
from peftcore.system.option_groups import grouped

rating_commands = typer.Typer(no_args_is_help=True)
app.add_typer(rating_commands, name="rating", help="Let people rate explanations, blind.")

ProjectId = Annotated[str, typer.Argument(metavar="PROJECT", help="Id, as in `rating list`.")]
ADDRESS = "http://localhost:8501"


@rating_commands.command()
def create(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs.")],
    name: Annotated[str, typer.Option(help="What experimenters call it.")] = "",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting as key=value: mode, items, pool, overlap, …"),
    ] = None,
    guidelines: Annotated[
        Path | None, typer.Option(help="Text file that raters read first.")
    ] = None,
    translations: Annotated[
        list[str] | None,
        typer.Option(
            "--translation", help="The guidelines in another language, as de=FILE; repeat it."
        ),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Make a project from the explanations of runs."""
    settings = options.parse_settings(sets)
    if guidelines:
        settings["guidelines"] = _read(guidelines)
    if translations:
        settings["translations"] = dict(map(_read_translation, translations))
    store = RunStore()
    chosen = [store.open(run) for run in dict.fromkeys(runs)]
    rating_store, me = open_rating_store()
    new_project = rating.create_project(rating_store, me, chosen, name, **settings)
    printing.print_result(
        _summary(rating_store, new_project),
        as_json,
        lambda: _lines([_summary(rating_store, new_project)]),
    )


@rating_commands.command("list")
def list_projects(as_json: printing.AsJson = False) -> None:
    """List every project, and how far it is."""
    rating_store, me = open_rating_store()
    summaries = [
        _summary(rating_store, project) for project in rating.list_projects(rating_store, me)
    ]
    printing.print_result(summaries, as_json, lambda: _lines(summaries))
    for reason in rating.unreadable_projects(rating_store, me).values():
        typer.echo(f"Left out: {reason}.", err=True)


@rating_commands.command("remove")
def remove_project(
    project: ProjectId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Delete a project with its raters and ratings for good, also one that cannot be read."""
    rating_store, me = open_rating_store()
    if not yes:
        typer.confirm(f"Delete project {project} and its ratings for good?", abort=True, err=True)
    rating.remove_project(rating_store, me, project)
    printing.print_result({"removed": project}, as_json, lambda: iter([f"{project} is deleted"]))


@rating_commands.command("serve-link")
def serve_link(
    project: ProjectId,
    name: Annotated[str, typer.Option(help="What experimenters call the rater.")] = "rater",
    login: Annotated[str, typer.Option(help="Address they may sign in with instead.")] = "",
    address: Annotated[str, typer.Option(help="Where the app is served.")] = ADDRESS,
    picture: Annotated[
        Path | None, typer.Option("--qr", help="Also write it as a QR code: a new .png or .svg.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Invite a rater: prints a secret link, which is shown this once and stored nowhere."""
    if picture and picture.suffix not in (".png", ".svg"):
        raise BadInput(f"a QR code is written as .png or .svg; got {picture.name}")
    if picture and picture.exists():
        raise BadInput(f"there is a file {picture} already; name a new one")
    rating_store, me = open_rating_store()
    invited = rating.invite(
        rating_store, me, rating.find_project(rating_store, me, project).id, name, login
    )
    value = {"rater": invited.rater, "name": invited.name, "link": rater_link(address, invited)}
    if picture:
        code = link_code.draw_link(value["link"], picture.suffix[1:])
        atomic_files.replace_file(picture, code)
    printing.print_result(value, as_json, lambda: iter([value["link"]]))


def _read_translation(given: str) -> tuple[str, str]:
    """Read LANGUAGE=FILE."""
    language, _, file = given.partition("=")
    if not file:
        raise BadInput(f"a translation is given as de=FILE; got {given[:40]!r}")
    return language, _read(Path(file))


def rater_link(address: str, invited: Invitation) -> str:
    """Build the secret address of a rater on the server at this address."""
    return f"{address.rstrip('/')}/rate?r={invited.token}"


@dataclass(frozen=True)
class ExportOptions:
    """Format and rows of an export."""

    form: Annotated[
        Literal["jsonl", "csv", "bundle"],
        typer.Option("--format", help="CSV is safe for spreadsheets; a bundle holds everything."),
    ] = "jsonl"
    with_key: Annotated[bool, typer.Option("--with-key", help="Say whose texts they are.")] = False
    history: Annotated[bool, typer.Option("--history", help="Superseded ones too.")] = False
    extra: Annotated[bool, typer.Option("--extra", help="Training and checks too.")] = False

    def text(self, store: RatingStore, me: Any, project: str) -> tuple[str, int]:
        """Write what was chosen, and count its lines or rows."""
        if self.form == "bundle":
            lines = list(bundle.dump_project(store, me, project))
            return "".join(f"{line}\n" for line in lines), len(lines)
        rows = exporting.export_rows(store, me, project, self.with_key, self.history, self.extra)
        write = exporting.to_csv if self.form == "csv" else exporting.to_jsonl
        return write(rows), len(rows)


@rating_commands.command()
@grouped
def export(
    project: ProjectId,
    chosen: ExportOptions,
    out: Annotated[Path | None, typer.Option(help="File; otherwise standard output.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Write the ratings of a project, without the key to methods unless asked for."""
    text, count = chosen.text(*open_rating_store(), project)
    if out is None and as_json:
        raise BadInput("--json needs --out: standard output holds the ratings otherwise")
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, "utf-8")
    value = {"project": project, "file": str(out), "rows": count, "with_key": chosen.with_key}
    printing.print_result(value, as_json, lambda: iter([f"{count} rows in {out}"]))


@rating_commands.command("import")
def import_ratings(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines, or a bundle.")],
    name: Annotated[str, typer.Option(help="What the project is called.")] = "",
    method: Annotated[str, typer.Option(help="Whose texts they are, if the file is silent.")] = (
        "model"
    ),
    as_json: printing.AsJson = False,
) -> None:
    """Read ratings made elsewhere: a long table, FEB's result files, or a bundle of ours."""
    text = _read(file)
    rating_store, me = open_rating_store()
    if text.lstrip().startswith('{"table"'):
        new_project = bundle.load_project(rating_store, me, text.splitlines())
    else:
        new_project = ratings_import.import_table(rating_store, me, text, name or file.stem, method)
    printing.print_result(
        _summary(rating_store, new_project),
        as_json,
        lambda: _lines([_summary(rating_store, new_project)]),
    )


def open_rating_store() -> tuple[RatingStore, Any]:
    """Open the store with the demo projects in it; also the experimenter."""
    return demo.open_rating_store(), rating.experimenter()


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{str(file)!r} cannot be read as UTF-8 text: {error}") from None


def _summary(rating_store: RatingStore, project: Project) -> dict[str, Any]:
    me = rating.experimenter()
    listed = rating.item_table(rating_store, me, project.id)
    real = listed[listed["kind"] == "rating"]
    return {
        "project": project.id,
        "name": project.name,
        "mode": project.settings.mode,
        "task": project.task,
        "items": len(real),
        "ratings": int(real["ratings"].sum()),
        "overlap": project.settings.overlap,
        "raters": len(rating.list_raters(rating_store, me, project.id)),
        "open": project.open,
        "demo": project.demo,
        "who": rights.owner_of(called(project.id)),
        "simulated": project.simulated,
        "facts": project.facts,
    }


def _lines(summaries: list[dict[str, Any]]) -> Iterator[str]:
    heads = ["project", "mode", "items", "ratings", "overlap", "raters", "open", "name"]
    return printing.format_records(summaries, heads)
