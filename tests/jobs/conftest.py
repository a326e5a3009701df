"""What tests of jobs start from: a queue, and a process that is not this one."""

import subprocess
import sys

import pytest

from peftcore.jobs.queue import Queue
from peftcore.system import processes


@pytest.fixture
def queue(home):
    return Queue()


@pytest.fixture
def other():
    """A living process that is not this one, as a worker's identity."""
    code = "import time; print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()  # before its program has begun, its environment reads as empty
    yield processes.identify(process.pid)
    process.kill()
    process.wait()
    process.stdout.close()
