"""Files are whole or absent, and what was torn is left out."""

import math
import os

import numpy as np
import pytest

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
