"""Zips of ours are the same bytes every time, and those from elsewhere are believed in nothing."""

import io
import re
import stat
import zipfile

import pytest

from peftcore.errors import BadInput
from peftcore.system.zip_files import CHECKSUMS_NAME, CheckedZip, zip_bytes

NAMES = re.compile(r"[ab]\.txt|SHA256SUMS")
MEMBERS = {"b.txt": b"two", "a.txt": b"one"}


def written(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_equal_members_are_equal_bytes_in_any_order(tmp_path):
    assert zip_bytes(MEMBERS) == zip_bytes(dict(sorted(MEMBERS.items())))


def test_what_was_written_reads_back_and_its_sums_fit(tmp_path):
    (tmp_path / "x.zip").write_bytes(zip_bytes(MEMBERS))
    found = CheckedZip(tmp_path / "x.zip", NAMES)
    assert found.names() == [CHECKSUMS_NAME, "a.txt", "b.txt"]
    assert "a.txt" in found
    assert found.read("b.txt") == b"two"
    assert found.checksum_mismatches() == []


def test_changed_missing_and_added_members_are_named(tmp_path):
    sums = zipfile.ZipFile(io.BytesIO(zip_bytes({"a.txt": b"one", "c": b"x"}))).read("SHA256SUMS")
    path = written(tmp_path / "x.zip", {"a.txt": b"other", "b.txt": b"", "SHA256SUMS": sums})
    problems = CheckedZip(path, NAMES).checksum_mismatches()
    assert [problem.split(":")[0] for problem in problems] == [
        "c is listed and not there",
        "a.txt was changed",
        "b.txt is there and not listed",
    ]


@pytest.mark.parametrize("name", ["../a.txt", "/a.txt", "C:a.txt", "x\\..\\a.txt"])
def test_a_name_that_leads_outside_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match="outside itself"):
        CheckedZip(written(tmp_path / "x.zip", {name: b""}), NAMES)


def test_names_that_nobody_asked_for_are_refused(tmp_path):
    with pytest.raises(BadInput, match="does not belong there"):
        CheckedZip(written(tmp_path / "x.zip", {"c.txt": b""}), NAMES)


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("a.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(BadInput, match="no ordinary file"):
        CheckedZip(tmp_path / "x.zip", NAMES)


def test_a_file_that_is_no_zip_and_a_missing_member_are_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(BadInput, match="not a zip file"):
        CheckedZip(tmp_path / "x.zip", NAMES)
    found = CheckedZip(written(tmp_path / "y.zip", {"a.txt": b""}), NAMES)
    with pytest.raises(BadInput, match=r"no member b.txt"):
        found.read("b.txt")


@pytest.mark.parametrize(("size", "refused"), [(9_000_000, False), (30_000_000, True)])
def test_a_large_member_behind_a_small_zip_is_refused_before_it_is_read(tmp_path, size, refused):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.txt", bytes(size))
    assert path.stat().st_size < 100_000
    if not refused:
        assert len(CheckedZip(path, NAMES).read("a.txt")) == size
        return
    with pytest.raises(BadInput, match=r"unpacks to 30,000,000 bytes from .*at most 200 times"):
        CheckedZip(path, NAMES)
