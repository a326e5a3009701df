"""A dataclass as a parameter of a command: each field an option, and one value for the command."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from peftcore.system.option_groups import grouped


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(min=1, help="How wide.")]
    deep: Annotated[bool, typer.Option("--deep", help="Whether deep.")] = False


@dataclass(frozen=True)
class Named(Size):
    name: Annotated[str, typer.Argument()] = "nobody"


def program():
    app, seen = typer.Typer(), []

    @app.command()
    @grouped
    def measure(size: Named, times: Annotated[int, typer.Option()] = 1) -> None:
        """Measure something."""
        seen.append((size, times))

    return app, seen


def test_fields_are_options_and_the_command_gets_them_as_one():
    app, seen = program()
    assert CliRunner().invoke(app, ["--width", "2", "--deep", "me"]).exit_code == 0
    assert CliRunner().invoke(app, ["--width", "3", "--times", "4"]).exit_code == 0
    assert seen == [(Named(2, True, "me"), 1), (Named(3), 4)]


def test_what_a_field_declares_holds():
    app, seen = program()
    assert CliRunner().invoke(app, []).exit_code == 2
    assert CliRunner().invoke(app, ["--width", "0"]).exit_code == 2
    help = CliRunner().invoke(app, ["--help"]).stdout
    assert "How wide." in help
    assert "Measure something." in help
    assert seen == []
