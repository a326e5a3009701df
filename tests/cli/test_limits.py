"""The commands of the prefix theory: JSON alone, and errors in a sentence."""

import json

import pytest
from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("base")
    made = build_tiny("gpt2")
    made.model.save_pretrained(path)
    made.tokenizer.save_pretrained(path)
    return str(path)


def asked(*words):
    return CliRunner().invoke(app, ["limits", "--check", *words])


def test_a_local_folder_is_checked_and_the_theory_holds(folder):
    done = asked("--base", folder, "--length", "3", "--text", "a cat sat", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"layers", "max_content_drift", "max_residual"} <= found.keys()
    assert len(found["layers"]) == 2
    assert {"path", "content_drift", "residual", "share"} <= found["layers"][0].keys()
    assert found["max_residual"] < 1e-5
    assert found["max_residual"] == max(layer["residual"] for layer in found["layers"])


@pytest.mark.parametrize("switch", ["--naive-positions", "--whole-stack"])
def test_switches_show_where_it_does_not_hold(folder, switch):
    found = json.loads(asked("--base", folder, switch, "--json").stdout)
    assert found["max_content_drift"] > 1e-3


def test_double_precision_is_nearly_exact(folder):
    assert (
        json.loads(asked("--base", folder, "--dtype", "fp64", "--json").stdout)["max_residual"]
        < 1e-12
    )


def test_people_get_a_table(folder):
    assert "largest residual" in asked("--base", folder).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--base", "nowhere"], "nowhere"), (["--base", "x", "--dtype", "int8"], "int8")],
)
def test_mistakes_are_named(words, message):
    done = asked(*words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_unknown_runs_are_named():
    done = CliRunner().invoke(app, ["limits", "nothing"])
    assert done.exit_code == 2
    assert "nothing" in done.stderr


@pytest.mark.parametrize("words", [[], ["--check"], ["--base", "x"], ["a", "--check"]])
def test_it_takes_a_run_or_a_check_of_a_base(words):
    done = CliRunner().invoke(app, ["limits", *words])
    assert done.exit_code == 2
    assert "a RUN, or --check and --base" in done.stderr
