"""The short campaign, in a process of its own, since forks of a test's process have its threads."""

import json
import os
import subprocess
import sys

from peftcore import paths


def test_kills_full_disks_and_a_clock_that_is_set_lose_nothing(tmp_path):
    command = [sys.executable, "-m", "peftcore", "bench", "soak", "--short", "--json"]
    done = subprocess.run(
        command, cwd=paths.ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True,
        text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    rows = json.loads(done.stdout)["rows"]
    assert all(row["times"] and not row["wrong"] for row in rows if "left out" not in row["how"])
    assert {"in training", "in writing a checkpoint", "in saving a rating"} <= {
        row["what"] for row in rows
    }
    assert not list(tmp_path.iterdir())
