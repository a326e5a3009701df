"""A tiny base of one's own for the commands of `bench`, and what they printed."""

import json

import pytest
from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore.benchmarks.bench_training import load_bench_base
from peftcore.cli import app


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Saves a base of a family by the name of mine; returns the words that ask for it."""

    def save(family):
        base = build_tiny(family)
        base.model.save_pretrained(tmp_path / "mine")
        base.tokenizer.save_pretrained(tmp_path / "mine")
        monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
        load_bench_base.cache_clear()  # it knows bases by name, and another test's is mine as well
        return ["--base", "mine", "--json"]

    yield save
    load_bench_base.cache_clear()


@pytest.fixture
def mine(saved):
    return saved("t5")


@pytest.fixture
def asked():
    """Runs a command of `bench`; returns its JSON."""

    def run(*words):
        done = CliRunner().invoke(app, ["bench", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    return run
