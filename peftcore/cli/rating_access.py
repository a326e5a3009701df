"""Commands that decide who may rate: rating raters, new-link, close-link, open, close."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from peftcore import rating
from peftcore.cli.rating import ADDRESS, ProjectId, open_rating_store, rater_link, rating_commands
from peftcore.system import printing

RaterId = Annotated[str, typer.Argument(metavar="RATER", help="Id, as in `rating raters`.")]


@rating_commands.command()
def raters(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """List who was invited, how far each is, how fast, and whose checks were passed."""
    rating_store, me = open_rating_store()
    project_info = rating.find_project(rating_store, me, project)
    checked = rating.check_table(rating_store, me, project).set_index("rater")
    rows = []
    for row in rating.list_raters(rating_store, me, project_info.id):
        known = checked.loc[row.id].to_dict() if row.id in checked.index else {}
        names = ("checks", "checks_passed", "median_seconds")
        more = {name: known.get(name) for name in names}
        rows.append(asdict(row) | more)
    value = {"project": project, "raters": rows}
    heads = ("id", "name", "done", "skipped", "checks_passed", "median_seconds", "link_works")
    printing.print_records(rows, as_json, heads, value)


@rating_commands.command("new-link")
def new_link(
    rater: RaterId,
    address: Annotated[str, typer.Option(help="Where the app is served.")] = ADDRESS,
    as_json: printing.AsJson = False,
) -> None:
    """Replace a rater's link: the old one stops working, and they go on where they were."""
    rating_store, me = open_rating_store()
    invitation = rating.renew_link(rating_store, me, rater)
    value = {
        "rater": invitation.rater,
        "name": invitation.name,
        "link": rater_link(address, invitation),
    }
    printing.print_result(value, as_json, lambda: iter([value["link"]]))


@rating_commands.command("close-link")
def close_link(rater: RaterId, as_json: printing.AsJson = False) -> None:
    """Close a rater's link and login; their ratings are kept."""
    rating_store, me = open_rating_store()
    rating.revoke_link(rating_store, me, rater)
    _print_sentence(
        {"rater": rater, "link_works": False}, f"The link of {rater} is closed.", as_json
    )


@rating_commands.command("open")
def open_project(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """Let raters rate in a project again."""
    _set_open(project, True, as_json)


@rating_commands.command("close")
def close_project(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """Let nobody rate in a project any more; ratings are kept."""
    _set_open(project, False, as_json)


def _set_open(project: str, is_open: bool, as_json: bool) -> None:
    rating_store, me = open_rating_store()
    changed = rating.set_project_open(
        rating_store, me, rating.find_project(rating_store, me, project).id, is_open
    )
    words = f"Project {changed.id} is {'open' if changed.open else 'closed'}."
    _print_sentence({"project": changed.id, "open": changed.open}, words, as_json)


def _print_sentence(value: dict[str, Any], sentence: str, as_json: bool) -> None:
    printing.print_result(value, as_json, lambda: iter([sentence]))
