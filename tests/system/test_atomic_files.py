"""Files are whole or absent, and what was torn is left out."""

import errno
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from peftcore import paths
from peftcore.system import atomic_files


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a.json"
    for content in (b"first", b"second"):
        atomic_files.replace_file(path, content)
        assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        atomic_files.replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_torn_line_is_closed_before_the_next_and_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2')
    atomic_files.append_lines(path, '{"n": 3}\n')
    assert atomic_files.read_json_lines(path) == [{"n": 1}, {"n": 3}]


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b"\xff"])
def test_what_is_no_whole_object_reads_as_empty(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert atomic_files.read_json(tmp_path / "a") == {}


def test_what_is_missing_reads_as_empty(tmp_path):
    assert atomic_files.read_json(tmp_path / "no" / "file") == {}
    assert atomic_files.read_json_lines(tmp_path / "none") == []
    assert atomic_files.modified_ns(tmp_path / "none") == 0


def test_numbers_of_arrays_become_pythons_and_what_is_not_finite_none():
    value = {"a": np.float32(0.5), 2: (math.nan, np.int64(3)), "b": [math.inf, "x"]}
    assert atomic_files.to_jsonable(value) == {"a": 0.5, "2": [None, 3], "b": [None, "x"]}


def test_a_file_and_its_name_are_on_the_disk_before_the_move_returns(tmp_path, monkeypatch):
    done = []
    where = {}
    real_open, real_sync, real_replace = os.open, os.fsync, os.replace

    def open_(path, *given):
        descriptor = real_open(path, *given)
        where[descriptor] = str(path)
        return descriptor

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", lambda d: (done.append(("sync", where[d])), real_sync(d)))
    monkeypatch.setattr(
        os, "replace", lambda a, b: (done.append(("move", str(b))), real_replace(a, b))
    )
    part, path = tmp_path / "a.part", tmp_path / "a"
    part.write_bytes(b"new")
    atomic_files.move_into_place(part, path)
    assert path.read_bytes() == b"new"
    assert done == [("sync", str(part)), ("move", str(path)), ("sync", str(tmp_path))]


FULL = """
import pathlib, resource, sys
from peftcore.system import atomic_files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = pathlib.Path(sys.argv[1])
for write in (
    lambda: atomic_files.replace_file(path, b"n" * 10_000),
    lambda: atomic_files.append_lines(path.with_name("lines"), "n" * 10_000),
):
    try:
        write()
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limit of a file's size here")
def test_a_file_that_finds_no_room_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    atomic_files.append_lines(tmp_path / "lines", '{"step": 1}\n')
    command = [sys.executable, "-c", FULL, str(tmp_path / "old")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert printed.stdout.split() == [str(errno.EFBIG)] * 2
    assert (tmp_path / "old").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines", "old"]
    atomic_files.append_lines(tmp_path / "lines", '{"step": 2}\n')
    assert [row["step"] for row in atomic_files.read_json_lines(tmp_path / "lines")] == [1, 2]


def test_a_file_that_is_replaced_within_a_tick_of_the_clock_has_another_stamp(tmp_path):
    path = tmp_path / "status.json"
    assert atomic_files.file_stamp(path) is None
    atomic_files.replace_file(path, b'{"a": 1}')
    first, times = atomic_files.file_stamp(path), os.stat(path)
    atomic_files.replace_file(path, b'{"a": 2}')
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert atomic_files.file_stamp(path) != first
    assert atomic_files.file_stamp(f"{path}/below") is None
