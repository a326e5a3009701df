"""The command that simulates coverage, with one quick interval."""

import json

from typer.testing import CliRunner

from peftcore.analysis.coverage import run
from peftcore.cli import app, coverage


def test_coverage_is_counted_printed_and_kept(tmp_path, monkeypatch):
    (quick,) = [each for each in run.INTERVALS if each.function == "likelihood.wilson_interval"]
    monkeypatch.setattr(run, "INTERVALS", (quick,))
    readme, results = tmp_path / "README.md", tmp_path / "coverage.json"
    readme.write_text("before\n<!-- coverage: command -->\nold\n<!-- end -->\nafter\n", "utf-8")
    monkeypatch.setattr(coverage, "README", readme)
    monkeypatch.setattr(coverage, "RESULTS", results)
    done = CliRunner().invoke(app, ["coverage", "--draws", "50", "--write"])
    assert done.exit_code == 0, done.output
    rows = json.loads(results.read_text("utf-8"))
    assert [row["items"] for row in rows] == [50, 200, 500]
    assert all(row["covered"] <= row["printed"] == row["draws"] == 100 for row in rows)
    text = readme.read_text("utf-8")
    assert quick.name in text
    assert "old" not in text
    assert text.endswith("after\n")
