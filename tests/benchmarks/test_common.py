import json

from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore.benchmarks.common import interleaved
from peftcore.cli import app


def test_ways_take_turns_and_the_first_round_does_not_count():
    turns = []
    took = interleaved({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 2)
    assert turns == ["a", "b"] * 3
    assert set(took) == {"a", "b"}
    assert all(each["wall"] >= 0 for each in took.values())


def test_stacked_points_have_the_numbers_of_points_one_by_one(tmp_path, monkeypatch):
    base = build_tiny("t5")
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    words = ["bench", "landscape", "--base", "mine", "--quick", "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["prefixes"] for row in rows} == {"all", "decoder only"}
    for row in rows:
        assert row["faster"] > 0
        if row["way"] == "stacked":
            assert row["off"] < 2e-5
