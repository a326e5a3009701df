"""The command line: `python -m peftcore …`, or `adapter-lab …` once installed.

The environment is set before torch can be imported: threads that wait actively beside other load
make everything many times slower, and no library may send usage reports.
"""

import os
import sys
from pathlib import Path

DEFAULTS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DO_NOT_TRACK": "1",
}
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)

from peftcore.cli import app  # noqa: E402
from peftcore.system import malloc  # noqa: E402  (after the environment)


def main() -> None:
    """Run the command line under the name it was called by."""
    malloc.keep_freed_memory()
    installed = Path(sys.argv[0]).stem == "adapter-lab"
    app(prog_name="adapter-lab" if installed else "python -m peftcore")


if __name__ == "__main__":
    main()
