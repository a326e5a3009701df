"""The command `notices`: where word goes when something is done, and a trial of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from peftcore.cli import app
from peftcore.errors import BadInput
from peftcore.system import notices, printing


@app.command("notices")
def show_notices(
    send: Annotated[
        bool, typer.Option("--send", help="Send one now, to see whether it arrives.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Show who gets word when a run, sweep or rating project is done or fails, and the last ones.

    PEFTCORE_NOTICE_WEBHOOK and PEFTCORE_NOTICE_MAIL set it; browsers ask on the Runs page.
    """
    channels = notices.channels()
    if send:
        failures = notices.send(notices.Notice("trial", "trial", "done", "A trial of notices"))
        if failures:
            words = "; ".join(f"{channel}: {why}" for channel, why in failures.items())
            raise BadInput(f"a notice did not arrive ({words})")
    recent = notices.recent()[-20:]
    value = {"channels": channels, "recent": [vars(notice) for notice in recent]}

    def lines() -> Iterator[str]:
        """Yield the channels, then the notices."""
        yield from (f"{channel}: {where}" for channel, where in channels.items())
        if not channels:
            yield "no webhook and no e-mail is set; browsers get word all the same"
        rows = [[notice.kind, notice.id, notice.state, notice.text] for notice in recent]
        yield from printing.format_table(["kind", "id", "state", "words"], rows)

    printing.print_result(value, as_json, lines)
