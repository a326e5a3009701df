"""Run commands in this process and read what they print."""

import json

from typer.testing import CliRunner

from peftcore.cli import app

RANDOM = ["--base", "random-t5", "--task", "miniworld_nli"]


SHORT = [
    *("--shots", "6", "--seeds", "2", "--steps", "3", "--set", "dev=2", "--set", "batch=1"),
    *("--set", "limit=3", "--set", "max_new_tokens=2"),
]


def call(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def printed(*arguments):
    """Return what a command prints as JSON; nothing else may be printed."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments):
    """Return the one sentence with which a command refuses."""
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()
    assert len(line) == 1
    return line[0]


def own_runs():
    """What `runs` prints, less the runs that ship with the project."""
    return [row for row in printed("runs") if not row["demo"]]


def train(method, *more):
    """Train a method for a few steps and return what the command prints."""
    return printed("train", *RANDOM, "--method", method, *SHORT, *more)
