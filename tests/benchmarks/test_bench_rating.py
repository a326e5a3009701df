"""A small crowd of raters at once."""

import json

from typer.testing import CliRunner

from peftcore.cli import app


def test_a_crowd_is_timed_and_nothing_is_lost():
    done = CliRunner().invoke(app, ["bench", "rating", "--quick", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["ratings"] == 20
    calls = {row["act"]: row["calls"] for row in found["rows"]}
    assert calls == {"next item": 24, "answer": 20, "draft": 20, "rate": 20}
    assert all(row["median_ms"] <= row["worst_ms"] for row in found["rows"])
