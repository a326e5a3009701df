"""The command `packages`: what is installed for the project, under which licences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from peftcore.cli import app
from peftcore.system import packages as installed
from peftcore.system import printing


@app.command()
def packages(
    refused_only: Annotated[
        bool, typer.Option("--refused", help="Only those whose licence is not on the list.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """List the packages in use with their licences; status 1 if one is not on the list.

    At run time licences are permissive, or ask for changes of their own files only. Beside it, in
    tests and optional features, the driver of PostgreSQL may be under the LGPL.
    """
    every = installed.list_packages()
    rows = [each for each in every if not (refused_only and each.allowed)]
    values = [asdict(each) | {"allowed": each.allowed} for each in rows]

    def lines() -> Iterator[str]:
        yield from printing.format_table(
            ("package", "version", "licence", "use", "allowed"),
            [(p.name, p.version, p.licence, p.use, "yes" if p.allowed else "no") for p in rows],
        )
        at_run_time = sum(each.use == "run time" for each in every)
        yield f"{at_run_time} packages at run time, {len(every) - at_run_time} beside it"

    printing.print_result(values, as_json, lines)
    if not all(each.allowed for each in every):
        raise typer.Exit(1)
