import subprocess
import sys

import pytest

from peftcore.errors import BadInput
from peftcore.system.file_locks import hold_or_refuse

HOLDER = """
import sys
from pathlib import Path
from peftcore.system.file_locks import hold_or_refuse
with hold_or_refuse(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_has_one_holder_and_is_free_after_it(tmp_path):
    path = tmp_path / "lock"
    again = hold_or_refuse(path, "taken")
    with hold_or_refuse(path, "taken"), pytest.raises(BadInput, match="taken"), again:
        pass
    with hold_or_refuse(path, "taken"):
        pass
    assert path.exists()


def test_an_error_inside_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), hold_or_refuse(tmp_path / "lock", "taken"):
        _ = 1 / 0
    with hold_or_refuse(tmp_path / "lock", "taken"):
        pass


def test_the_death_of_its_holder_frees_the_lock(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match="taken"), hold_or_refuse(path, "taken"):
            pass
        holder.kill()
        holder.wait()
        with hold_or_refuse(path, "taken"):
            pass
