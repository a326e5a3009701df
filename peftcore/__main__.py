"""`python -m peftcore …`: everything the browser does, from a terminal.

The environment is set before torch can be imported: threads that spin beside a busy neighbour make
everything many times slower, and no library may report to anybody.
"""

import os

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

if __name__ == "__main__":
    malloc.keep_freed_memory()
    app(prog_name="python -m peftcore")
