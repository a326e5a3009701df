"""Former names of commands still do what they did, say the new name, and are in no help."""

import re

import pytest
from support.commands import call

from peftcore.cli.aliases import ALIASES, translate
from peftcore.cli.groups import find_commands

# A command line as somebody may have it in a script → the one it stands for.
LINES = {
    "rates --base b --guided 4": "lr-search --base b --guided 4",
    "rate demos --json": "ship rating --json",
    "rate export P --format csv": "rating export P --format csv",
    "study encoder --done": "experiment encoder --done",
    "prompt-study R transfer --tasks a,b": "experiment scaling R transfer --tasks a,b",
    "components grid layers --train --ship": "ship components layers",
    "components grid --train --seeds 2": "experiment components run --seeds 2",
    "components grid kinds --start": "experiment components start kinds",
    "components grid --stop": "experiment components stop",
    "components grid layers --seeds 2": "experiment components layers --seeds 2",
    "check bias-only --base b --seed 3": "limits --check --base b --seed 3",
    "demos --studies --out d": "ship study-runs --out d",
    "demos --device cpu": "ship demo-runs --device cpu",
    "measured --out f": "ship measured --out f",
    "report --table t --out f": "ship measured --table t --out f",
    "pictures make --out d": "ship images --out d",
    "pictures draw --prompt p": "images draw --prompt p",
    "toys 01 --out d --seeds 2": "ship toys 01 --out d --seeds 2",
    "sweep f --preview --rate 1e14 --machines 2": "sweep extrapolate f --rate 1e14 --machines 2",
    "sweep f --preview --device cpu": "sweep preview f --device cpu",
    "sweep f --against d": "sweep compare f --against d",
    "sweep f --ship d": "ship sweep f --out d",
}


@pytest.mark.parametrize("old", LINES)
def test_an_old_line_is_the_new_one_and_says_so(old, capsys):
    assert " ".join(translate(old.split())) == LINES[old]
    note = capsys.readouterr().err
    assert note.count("\n") == 1
    assert re.match(r"Note: `.*` is `.*` now; the old name goes with version 0\.2\.", note)


def test_every_alias_is_tried_and_every_new_name_has_its_options():
    """The new command's own help names each option the new line has."""
    used = [next(each for each in ALIASES if each.applies(old.split())) for old in LINES]
    assert used == list(ALIASES)
    for new in LINES.values():
        words = new.split()
        end = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
        name = words[: 1 if words[0] == "limits" else end]
        while (done := call(*name, "--help")).exit_code or "COMMAND [ARGS]" in done.stdout:
            assert name.pop(), new
        assert not [word for word in words if word[:2] == "--" and word not in done.stdout], new


def test_new_lines_are_left_alone(capsys):
    for new in LINES.values():
        assert translate(new.split()) == new.split()
    assert translate(["sweep", "run", "f", "--retry"]) == ["sweep", "run", "f", "--retry"]
    assert capsys.readouterr().err == ""


def test_old_names_are_in_no_list_of_commands():
    gone = {
        each.old for each in ALIASES if " " not in each.old and not each.flags and not each.only
    }
    assert gone == {"rates", "rate", "study", "prompt-study", "demos", "measured", "pictures"}
    assert not gone & find_commands().keys()


def test_the_tables_of_experiments_are_no_report_of_runs():
    """`report` without a run was the page of experiments; with one it is what it says."""
    page = ("report", "report --out f", "report --table t", "report --out=f --table t")
    runs = ("report R --out f", "report --out f R", "report --sweep S --out f", "report --help")
    assert all(translate(line.split())[:2] == ["ship", "measured"] for line in page)
    assert all(translate(line.split()) == line.split() for line in (*runs, "report --out"))


def test_an_old_name_runs():
    old, new = call("study", "--json"), call("experiment", "--json")
    assert (old.exit_code, old.stdout) == (0, new.stdout)
    assert old.stderr == "Note: `study` is `experiment` now; the old name goes with version 0.2.\n"
