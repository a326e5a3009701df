"""`rating …`, in this process."""

import json

from typer.testing import CliRunner

from peftcore.cli import app


def call(*arguments):
    return CliRunner().invoke(app, ["rating", *map(str, arguments)])


def run_rating(*arguments):
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
