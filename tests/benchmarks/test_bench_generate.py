"""Adapters that answer together say what they say alone."""

import json

from typer.testing import CliRunner

from peftcore.cli import app


def test_answers_together_are_those_one_by_one():
    words = ["bench", "generate", "--quick", "--texts", "2", "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    found = json.loads(done.stdout)
    assert [row["equal_answers"] for row in found["rows"]] == [1.0]
    assert found["ratio_vs_one_by_one"] == found["rows"][0]["times_faster"] > 0
