"""`python -m peftcore`, in a process of its own."""

import json
import os
import subprocess
import sys

from peftcore import paths


def test_the_program_sets_its_threads_before_torch_and_prints_json_alone():
    lines = (
        "import sys, runpy; sys.argv = ['peftcore', 'list', '--json']\n"
        "try: runpy.run_module('peftcore', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "import os; print(os.environ['OMP_NUM_THREADS'], 'torch' in sys.modules, file=sys.stderr)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=paths.ROOT, env=clean, capture_output=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"methods", "tasks", "bases", "unusable"}
    assert done.stderr.split() == [b"1", b"False"]
