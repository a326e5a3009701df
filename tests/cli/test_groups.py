"""Commands are found in their files' source, and imported when they are called."""

import subprocess
import sys

import pytest
import typer
from support.commands import call, refused

from peftcore import paths
from peftcore.cli import app, groups


@pytest.mark.parametrize("name", groups.find_commands())
def test_what_the_source_says_of_a_command_is_what_it_is(name):
    command = groups.LazyGroup(name="all").get_command(None, name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == groups.find_commands()[name].help


def test_every_command_that_is_registered_is_found():
    for name in groups.find_commands():
        groups.LazyGroup(name="all").get_command(None, name)
    assert set(typer.main.get_group(app).commands) == set(groups.find_commands())


def test_help_lists_commands_and_imports_none_of_their_files():
    code = (
        "import sys\nfrom peftcore.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'peftcore.cli.training'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line.split()]
    assert set(groups.find_commands()) <= set(listed)
    assert max(map(len, lines)) <= 80


def test_an_unknown_command_is_refused_with_those_that_are_like_it():
    assert "did you mean 'train'" in refused("trian")


@pytest.mark.parametrize("words", [["nowhere.yaml"], ["run", "nowhere.yaml"]])
def test_the_first_command_of_a_group_may_be_left_out(words):
    assert "nowhere.yaml" in refused("sweep", *words)
    assert "Train many runs" in call("sweep", "--help").stdout
