"""The command line: results on standard output, everything else on standard error.

Bad input ends with status 2 and one sentence, a fault of ours with status 1 and an error id.
"""

from __future__ import annotations

import typer

from peftcore.cli.groups import LazyGroup

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def program() -> None:
    """Train small adapters on a frozen language model, and compare them."""
