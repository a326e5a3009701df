"""`landscape` and `vertices`, as JSON."""

import json

from support.landscape_runs import runs, workspace  # noqa: F401
from typer.testing import CliRunner

from peftcore.cli import app


def test_the_command_line_prints_the_points_as_json(runs):  # noqa: F811
    words = [runs["simplex"].id, "--kind", "scan", "--set", "examples=2", "--json"]
    result = CliRunner().invoke(app, ["landscape", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert value["state"] == "done"
    assert len(value["points"]) == 5
    assert value["facts"]["n"] == 2
    assert value["facts"]["data_hash"] == runs["simplex"].manifest()["data_hash"]


def test_the_same_run_with_other_numbers_of_vertices(runs):  # noqa: F811
    run = runs["simplex"]
    words = ["vertices", run.id, "--counts", "1,3", "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)
    assert [row["vertices"] for row in rows] == [1, 3]
    assert rows[1]["run"] == run.id
    assert rows[1]["state"] == "done"
    wrong = CliRunner().invoke(app, ["vertices", run.id, "--counts", "two"])
    assert wrong.exit_code == 2
    assert "whole numbers" in wrong.stderr
