"""Folders sent to other machines: known by their contents, and never outside their place."""

import tempfile

import numpy as np
import pytest

from peftcore.errors import BadInput
from peftcore.sweeps.engines import folder_transfer
from peftcore.sweeps.engines.folder_transfer import FolderSnapshot


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def folder_of(path, **files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_equal_names_and_contents_are_one_digest(tmp_path):
    first = folder_transfer.read_folder(folder_of(tmp_path / "one", a=b"x", b=b"y"))
    again = folder_transfer.read_folder(folder_of(tmp_path / "two", b=b"y", a=b"x"))
    assert folder_transfer.hash_files(first) == folder_transfer.hash_files(again)
    swapped = {"a": first["b"], "b": first["a"]}
    assert folder_transfer.hash_files(swapped) != folder_transfer.hash_files(first)


def test_what_was_sent_is_fetched_once(tmp_path):
    files = folder_transfer.read_folder(folder_of(tmp_path / "one", a=b"x"), "inside")
    fetched = []

    def fetch():
        fetched.append(1)
        return files

    snapshot = FolderSnapshot(folder_transfer.hash_files(files), fetch)
    path = folder_transfer.unpack_snapshot(snapshot)
    assert (path / "inside" / "a").read_bytes() == b"x"
    assert folder_transfer.unpack_snapshot(snapshot) == path
    assert fetched == [1]


@pytest.mark.parametrize("name", ["../a", "/tmp/a", "b/../../a"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match="leads out of its folder"):
        folder_transfer.write_files(tmp_path / "x", {name: np.zeros(1, np.uint8)})


def test_only_the_owner_may_look():
    assert folder_transfer.transfer_root().stat().st_mode & 0o077 == 0
