"""Groups of commands: all of them, whose modules are imported when they are called, and its parts.

What `--help` prints, names and the first line of each docstring, is read from the source, so that
no command waits for the imports of another.  A new command is a function in a file of this folder.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from peftcore.cli import aliases
from peftcore.errors import BadInput, unknown_name
from peftcore.system import faults
from peftcore.system.job_folder import JobFailed

FOLDER = Path(__file__).parent
PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class CommandSource:
    """File of a command or group of commands, and its line of help."""

    module: str
    help: str


@lru_cache(maxsize=1)
def find_commands() -> dict[str, CommandSource]:
    """Read which commands there are, by name, from what `app` is decorated with in each file."""
    found: dict[str, CommandSource] = {}
    for info in pkgutil.iter_modules([str(FOLDER)]):
        source = (FOLDER / f"{info.name}.py").read_text("utf-8")
        for name, text in _commands_of(ast.parse(source)):
            found[name] = CommandSource(info.name, text.split("\n\n")[0].replace("\n", " "))
    return dict(sorted(found.items()))


def _commands_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield name and help of every `@app.command(…)` and `app.add_typer(…)` of a file."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(decorator_list=decorators):
                for each in decorators:
                    match each:
                        case ast.Call(ast.Attribute(ast.Name("app"), "command"), words):
                            own = node.name.replace("_", "-")
                            name = ast.literal_eval(words[0]) if words else own
                            yield name, ast.get_docstring(node) or ""
            case ast.Expr(ast.Call(ast.Attribute(ast.Name("app"), "add_typer"), _, keywords)):
                values = {word.arg: word.value for word in keywords}
                yield ast.literal_eval(values["name"]), ast.literal_eval(values["help"])


@cache
def _load_command(name: str) -> Any:
    """Import the file of a command and those that continue it, and build it, once a process."""
    home = find_commands()[name].module
    for info in pkgutil.iter_modules([str(FOLDER)]):
        if info.name == home or info.name.startswith(f"{home}_"):
            importlib.import_module(f"{PACKAGE}.{info.name}")
    app: typer.Typer = importlib.import_module(PACKAGE).app
    return typer.main.get_group(app).commands[name]


class LazyGroup(TyperGroup):
    """All commands; turns errors into sentences and exit statuses."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Translate a former name, with a note that says the new one."""
        return super().parse_args(ctx, aliases.translate(args))

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands."""
        return list(find_commands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the file of a command, and those that continue it (NAME_*.py)."""
        if cmd_name not in find_commands():
            raise unknown_name("command", cmd_name, find_commands())
        return _load_command(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every command with as much of its help as a line holds."""
        width = formatter.width - 6 - max(map(len, find_commands()))
        rows = [
            (name, textwrap.shorten(each.help, width, placeholder="…"))
            for name, each in find_commands().items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BadInput as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except JobFailed as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None
        except (TyperException, typer.Exit, typer.Abort):
            raise  # the library knows what they mean
        except Exception as error:  # the border itself: what is left is the machine's, or ours
            if refusal := faults.describe_refusal(error):
                typer.echo(f"Error: {refusal}", err=True)
                raise typer.Exit(2) from None
            number = faults.log_fault(f"command {' '.join(sys.argv[1:3])}")
            typer.echo(
                f"Error: something went wrong on our side, error id {number}; the details are in "
                "logs/app.log of the workspace",
                err=True,
            )
            raise typer.Exit(1) from None


class DefaultGroup(TyperGroup):
    """A group whose first command may be left out: `sweep FILE` is `sweep run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command before what does not begin with one."""
        named = bool(args) and args[0] in {*self.commands, "--help"}
        return super().parse_args(ctx, args if named else [next(iter(self.commands)), *args])
