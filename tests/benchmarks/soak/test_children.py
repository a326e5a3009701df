"""Children of the campaign: what they acknowledged before a kill is known."""

import subprocess
import sys

from peftcore import paths
from peftcore.benchmarks.soak import children


def test_what_was_acknowledged_before_a_kill_is_known(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import pathlib, sys, time\n"
        "from peftcore.benchmarks.soak import children\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "child = children.fork(home, lambda say: (say('one'), time.sleep(600)))\n"
        "while not child.read(1): pass\n"
        "child.kill()\n"
        "print(child.lines, child.status, child.running())\n"
        "print(children.call(home, lambda: 6 * 7))\n",
        str(tmp_path / "a" / "home"),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert printed.stdout.splitlines() == ["['one'] 9 False", "42"]
    assert (tmp_path / children.LOG_NAME).is_file()
