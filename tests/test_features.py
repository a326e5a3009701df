"""The table of features: what it names exists, and its counts are those of its rows."""

import ast
import re
from collections import Counter

import pytest
from typer.main import get_command

from app import nav
from peftcore import paths
from peftcore.cli import app

TABLE = (paths.ROOT / "peftcore" / "FEATURES.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TABLE.splitlines()
    if line.startswith("| ") and not line.startswith(("| what", "| ---"))
]


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}


def sources_of(page):
    """The script of a page and the files of its views, where views are named."""
    folders = [paths.ROOT / "app" / part / page for part in ("", "labs")]
    files = [paths.PAGES / f"{page}.py", *(file for each in folders for file in each.glob("*.py"))]
    return "".join(file.read_text() for file in files)


def check_command(words):
    """Walk down the groups by the words, and find every option that is named."""
    command = get_command(app)
    while words and not words[0].startswith("--"):
        command = command.get_command(None, words.pop(0))
        assert command is not None
    options = {name for option in command.params for name in option.opts}
    assert set(words[::2]) <= options


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_names_what_exists(row):
    _, kind, state, where, test = row
    assert kind in "MSD"
    if state.startswith("open: "):
        assert (where, test) == ("–", "–")
        return
    assert state == "full" or state.startswith("partly: ")
    titles = {page.title: page for page in nav.page_entries()}
    for place in where.split("; "):
        if place.startswith("`"):
            check_command(place.strip("`").split())
        else:
            page, _, view = place.partition(" › ")
            assert not view or f'"{view}"' in sources_of(titles[page].name)
    file, _, name = test.strip("`").partition("::")
    assert name in functions_of(paths.ROOT / file)


def test_the_counts_are_those_of_the_rows():
    kinds, full = (
        Counter(row[1] for row in ROWS),
        Counter(row[1] for row in ROWS if row[2] == "full"),
    )
    for kind in "MSD":
        assert f"{full[kind]} of {kinds[kind]} {kind}" in TABLE
    partly, missing = re.search(r"(\d+) rows are partly there and (\d+) open", TABLE).groups()
    states = Counter(row[2].partition(":")[0] for row in ROWS)
    assert (states["partly"], states["open"]) == (int(partly), int(missing))
    assert len({row[0] for row in ROWS}) == len(ROWS)
