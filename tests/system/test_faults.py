"""What the machine refuses is a sentence; everything else is a fault with an id in the log."""

import errno
import os
import stat

import pytest
import sqlalchemy.exc

from peftcore import paths
from peftcore.system import faults


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space"), "no space is left on the disk; what was written"),
        (OSError(errno.ENOSPC, "No space", "/a/b"), "no space is left on the disk for '/a/b'; "),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "'/x': permission denied"),
        (MemoryError(), "this machine has not enough memory"),
        (
            UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"),
            "an argument holds",
        ),
        (
            sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("database is locked\nmore")),
            "the database refused: database is locked",
        ),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(error, sentence):
    assert faults.describe_refusal(error).startswith(sentence)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("ours"),
        OSError("without a number"),
        OSError(errno.EACCES, "Permission denied"),  # names no file, so it says too little
        FileNotFoundError(errno.ENOENT, "No such file", str(paths.ROOT / "assets" / "gone")),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range(128)"),
    ],
)
def test_what_is_left_is_a_fault_of_ours(error):
    assert faults.describe_refusal(error) == ""


def test_a_missing_file_of_somebody_else_is_no_fault():
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere/x.csv")
    assert faults.describe_refusal(error) == "'/nowhere/x.csv': no such file or directory"


def test_a_long_name_loses_its_middle():
    assert faults.shorten("short") == "'short'"
    long = faults.shorten("a" * 200 + "b" * 200, 40)
    assert len(long) == 41
    assert long.startswith("'aaa")
    assert long.endswith("bbb'")
    assert faults.shorten(b"\xff") == repr(os.fsdecode(b"\xff"))


def test_a_fault_is_logged_under_its_id_for_the_owner_alone():
    try:
        raise KeyError("lost")
    except KeyError:
        number = faults.log_fault("here")
    log = faults.log_file()
    assert f" {number} here\nTraceback" in log.read_text("utf-8")
    assert "KeyError: 'lost'" in log.read_text("utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_is_said_so(home):
    (home / "logs").write_text("a file where the folder should be")
    assert faults.log_fault("here").endswith(" (the log cannot be written)")
