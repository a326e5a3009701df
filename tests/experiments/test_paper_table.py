"""The table of the papers as it ships."""

import subprocess
import sys

from peftcore import paths


def test_reading_it_needs_no_statistics():
    code = (
        f"import sys; sys.path.insert(0, {str(paths.ROOT)!r})\n"
        "from peftcore.experiments.paper_table import read_papers; read_papers()\n"
        "print(sorted({'scipy', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
