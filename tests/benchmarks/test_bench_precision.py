"""Half precision against single precision."""

import json

import pytest
from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore.cli import app


def saved(family, tmp_path, monkeypatch):
    """A tiny base by the name of mine; the words that ask for it."""
    base = build_tiny(family)
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    return ["--base", "mine", "--json"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    return saved("t5", tmp_path, monkeypatch)


def asked(*words):
    done = CliRunner().invoke(app, ["bench", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_half_precision_is_held_against_single_from_the_same_start(mine):
    words = ["--method", "lora", "--count", "2", "--steps", "4", "--looks", "2"]
    rows = asked("precision", *mine, *words)["rows"]
    assert [row["step"] for row in rows] == [0, 2, 4]
    assert all(0 <= row["apart"] < 0.05 * row["fp32"] for row in rows)
    assert all(row["times_faster"] > 0 for row in rows)
