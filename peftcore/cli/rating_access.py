"""Commands that say who may rate: rate raters, new-link, close-link, open, close."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from peftcore.cli.rating import ADDRESS, ProjectId, link, open_book, rate
from peftcore.system import printing

RaterId = Annotated[str, typer.Argument(metavar="RATER", help="Id, as in `rate raters`.")]


@rate.command()
def raters(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """Who was invited, how far each is, how fast, and whose checks were passed."""
    from peftcore import rating

    book, me = open_book()
    found = rating.find(book, me, project)
    checked = rating.checks(book, me, project).set_index("rater")
    rows = []
    for row in rating.raters(book, me, found.id):
        known = checked.loc[row.id].to_dict() if row.id in checked.index else {}
        names = ("checks", "checks_passed", "median_seconds")
        more = {name: known.get(name) for name in names}
        rows.append(asdict(row) | more)
    value = {"project": project, "raters": rows}
    heads = ("id", "name", "done", "skipped", "checks_passed", "median_seconds", "link_works")
    listed = [[row[head] for head in heads] for row in rows]
    printing.show(value, as_json, lambda: printing.table(heads, listed))


@rate.command("new-link")
def new_link(
    rater: RaterId,
    address: Annotated[str, typer.Option(help="Where the app is served.")] = ADDRESS,
    as_json: printing.AsJson = False,
) -> None:
    """Replace a rater's link: the old one stops working, and they go on where they were."""
    from peftcore import rating

    book, me = open_book()
    made = rating.renew_link(book, me, rater)
    value = {"rater": made.rater, "name": made.name, "link": link(address, made)}
    printing.show(value, as_json, lambda: iter([value["link"]]))


@rate.command("close-link")
def close_link(rater: RaterId, as_json: printing.AsJson = False) -> None:
    """Close a rater's link and login; what they said is kept."""
    from peftcore import rating

    book, me = open_book()
    rating.revoke(book, me, rater)
    _told({"rater": rater, "link_works": False}, f"The link of {rater} is closed.", as_json)


@rate.command("open")
def open_project(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """Let raters rate in a project again."""
    _opened(project, True, as_json)


@rate.command("close")
def close_project(project: ProjectId, as_json: printing.AsJson = False) -> None:
    """Let nobody rate in a project any more; what was said is kept."""
    _opened(project, False, as_json)


def _opened(project: str, wanted: bool, as_json: bool) -> None:
    from peftcore import rating

    book, me = open_book()
    made = rating.set_open(book, me, rating.find(book, me, project).id, wanted)
    words = f"Project {made.id} is {'open' if made.open else 'closed'}."
    _told({"project": made.id, "open": made.open}, words, as_json)


def _told(value: dict[str, Any], words: str, as_json: bool) -> None:
    printing.show(value, as_json, lambda: iter([words]))
