"""Benchmarks are measured again by the commands that their files name."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from peftcore.benchmarks import bench_again
from peftcore.cli import app
from peftcore.errors import BadInput


@pytest.fixture
def kept(tmp_path):
    row = {"base": "mine", "method": "lora", "times_the_floor": 1.2}
    step = {"command": "bench step --base mine", "rows": [row]}
    (tmp_path / "step.json").write_text(json.dumps(step))
    (tmp_path / "soak-runs.json").write_text('{"command": "bench soak --part runs", "rows": []}')
    (tmp_path / "other.json").write_text('{"command": "rm -r everything"}')
    return tmp_path


def test_only_our_own_benchmarks_are_run(kept):
    assert bench_again.kept_commands(kept) == {
        "soak-runs": ["bench", "soak", "--part", "runs"],
        "step": ["bench", "step", "--base", "mine"],
    }


def test_a_file_is_replaced_by_what_its_command_prints(kept, monkeypatch):
    asked = []

    def run(words):
        asked.append(words)
        return {"command": " ".join(words), "rows": [{"base": "mine", "times_the_floor": 1.1}]}

    monkeypatch.setattr(bench_again, "run_command", run)
    monkeypatch.setattr(bench_again, "write_report", lambda folder, out: out.write_text("page"))
    page = kept / "page.md"
    command = ["bench", "again", "--folder", str(kept), "--out", str(page)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert asked == [["bench", "step", "--base", "mine"]]  # long campaigns only by name
    assert json.loads((kept / "step.json").read_text())["rows"][0]["times_the_floor"] == 1.1
    assert CliRunner().invoke(app, [*command, "--busy", "soak-runs"]).exit_code == 0
    assert (kept / "busy" / "soak-runs.json").is_file()
    assert page.read_text() == "page"


def test_a_command_that_fails_keeps_the_old_file_and_the_others_run(kept, monkeypatch):
    (kept / "seeds.json").write_text('{"command": "bench seeds", "rows": []}')
    old = (kept / "step.json").read_text()

    def run(words):
        if "step" in words:
            raise BadInput("failed: no such base")
        return {"rows": [], "command": "bench seeds", "new": True}

    monkeypatch.setattr(bench_again, "run_command", run)
    monkeypatch.setattr(bench_again, "write_report", lambda folder, out: None)
    found = CliRunner().invoke(app, ["bench", "again", "--folder", str(kept)])
    assert found.exit_code == 2
    assert "no new result of step" in " ".join(found.output.split())
    assert (kept / "step.json").read_text() == old
    assert json.loads((kept / "seeds.json").read_text())["new"]


def test_an_unknown_name_starts_nothing(kept):
    found = CliRunner().invoke(app, ["bench", "again", "sted", "--folder", str(kept)])
    assert found.exit_code == 2
    assert "step" in found.output


def test_a_command_runs_in_a_process_of_its_own(monkeypatch):
    def run(printed, status=0):
        def fake(command, **_):
            assert command[1:3] == ["-m", "peftcore"]
            return subprocess.CompletedProcess(command, status, printed, "why it failed\n")

        monkeypatch.setattr(bench_again.subprocess, "run", fake)
        return bench_again.run_command(["bench", "step"])

    found = run('{"rows": [], "machine": {"cores": 2}}')
    assert found == {"rows": [], "machine": {"cores": 2}}
    with pytest.raises(BadInput, match="why it failed"):
        run("", 2)
    with pytest.raises(BadInput, match="no JSON"):
        run("a table")


@pytest.mark.skipif(sys.platform == "win32", reason="asks whether a process lives by signal 0")
def test_the_busy_process_ends_with_the_measurement():
    with bench_again.spinning_process() as process:
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
