"""The command `audit`: who did what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from peftcore.cli import app
from peftcore.system import printing, rights


@app.command()
def audit(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The latest so many acts.")] = 200,
    person: Annotated[str, typer.Option(help="Only what this login did.")] = "",
    thing: Annotated[str, typer.Option("--of", help='Only what was done to this: "run ID".')] = "",
    as_json: printing.AsJson = False,
) -> None:
    """List who did what to runs, tables, bases and the queue, newest first; for admins.

    Acts of people who are signed in are noted, and commands where PEFTCORE_PERSON names who gives
    them. Refused acts are noted too. The log is only added to.
    """
    found = rights.acts(limit, person, thing)

    def lines() -> Iterator[str]:
        rows = [
            (moment(a.at), a.person, a.role, a.act, a.object, "" if a.allowed else "refused")
            for a in found
        ]
        yield from printing.format_table(("when", "who", "role", "did", "to", ""), rows)
        if not rows:
            yield "Nothing is noted; nobody with a name has acted yet."

    printing.print_result([asdict(each) for each in found], as_json, lines)


def moment(at: float) -> str:
    """Write epoch seconds as a date and time in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
