"""The ladder of novelty on the command line."""

import json

from support.commands import call


def test_the_command_prints_the_finding_and_every_cell(trained_ladder):
    value = json.loads(call("experiment", "ladder", "--done", "--rungs", "b", "--json").stdout)
    assert value["finding"].startswith("Ahead of the untouched base and of guessing: ")
    assert {cell["rung"] for cell in value["cells"]} == {"b"}
    assert "not run" in {cell["reason"] for cell in value["cells"]}
    assert "LoRA" in call("experiment", "ladder", "--done", "--rungs", "b").stdout
