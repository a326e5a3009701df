"""A compiled model against a plain one."""

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


@pytest.mark.filterwarnings("ignore")  # of the tracer's own
def test_a_compiled_model_is_held_against_a_plain_one(tmp_path, monkeypatch):
    words = ["--alone", "--rounds", "1", "--count", "1"]
    words += ["--backend", "eager"]  # which needs no compiler
    [row] = asked("compile", *saved("bert", tmp_path, monkeypatch), *words)["rows"]
    assert row["what"] == "model alone"
    assert row["graphs"] > 0
    assert row["times_faster"] > 0
