"""The script for a card, tried on the processor: every part begins, and keeps what it found."""

import json

import pytest

from peftcore.benchmarks import bench_gpu
from peftcore.benchmarks.bench_gpu import CardFinding, GpuLoad, measure_parts

TRIED = ["shapes", "precision", "answers", "points", "attention", "memory"]


def test_parts_are_measured_at_tiny_sizes_and_those_that_need_a_card_say_so(tmp_path):
    load = GpuLoad(device="cpu", tiny=True, part=TRIED)
    found = measure_parts(load, tmp_path / "gpu.json")
    assert found == json.loads((tmp_path / "gpu.json").read_text())
    assert {row["part"] for row in found["rows"]} == set(TRIED) - {"memory"}
    assert "on a card only" in found["without"]["memory"]
    values = {row["what"]: row["value"] for row in found["rows"]}
    assert all(value >= 0 for value in values.values())
    (equal,) = (value for what, value in values.items() if what.endswith("equal answers"))
    assert equal == 1
    (off,) = (value for what, value in values.items() if "largest difference" in what)
    assert off < 1e-5


def test_a_part_that_fails_costs_itself_alone_and_none_begins_after_the_time(tmp_path, monkeypatch):
    def fail(load, left):
        raise RuntimeError("the driver is gone")

    def found(load, left):
        return [
            CardFinding("a ratio", 12.0, "times", 10.0),
            CardFinding("another", 9.0, "times", 10.0),
        ]

    monkeypatch.setattr(bench_gpu, "PARTS", {"first": fail, "second": found})
    value = measure_parts(GpuLoad(device="cpu"), tmp_path / "gpu.json")
    assert value["without"] == {"first": "RuntimeError: the driver is gone"}
    assert [row["met"] for row in value["rows"]] == ["met", "not met"]
    value = measure_parts(GpuLoad(device="cpu", minutes=0), tmp_path / "late.json")
    assert set(value["without"].values()) == {"not begun: the time was up"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["--device", "cuda"], "no card here"), (["--device", "cpu", "--part", "x"], "no part x")],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(tmp_path, words, reason):
    from typer.testing import CliRunner

    from peftcore.cli import app

    done = CliRunner().invoke(app, ["bench", "gpu", "--out", str(tmp_path / "out"), *words])
    assert done.exit_code != 0
    assert reason in str(done.exception) + done.output
    assert not (tmp_path / "out").exists()
