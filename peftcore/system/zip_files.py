"""Zip files: the same bytes for the same content, and nothing believed of those from elsewhere.

A zip can name files outside its folder, carry links, claim a size and unpack to another, or hold
more than any disk.  Here nothing is ever unpacked to disk by its own name: members are read into
memory one by one, and only names that a caller knows.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from peftcore.errors import BadInput

LARGEST_MEMBER = 1_000_000_000  # bytes, unpacked
LARGEST_WHOLE = 4_000_000_000
MOST_MEMBERS = 5_000
SUMS = "SHA256SUMS"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can state


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members and their SHA-256 sums, sorted, without times."""
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(members.items())
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in sorted({**members, SUMS: sums.encode()}.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return target.getvalue()


class Archive:
    """A zip whose list of contents has been checked; members are checked as they are read."""

    def __init__(self, path: Path, known: re.Pattern[str]) -> None:
        """BadInput unless every member is a file with a known name and an acceptable size."""
        try:
            self._file = zipfile.ZipFile(path)
            entries = self._file.infolist()
        except FileNotFoundError:
            raise BadInput(f"there is no file {str(path)!r}") from None
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise BadInput(f"{path.name} is not a zip file that can be read: {error}") from None
        if len(entries) > MOST_MEMBERS:
            raise BadInput(f"{path.name} has {len(entries):,} members; at most {MOST_MEMBERS:,}")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            _check(path.name, entry, known)
            if entry.filename in self._entries:
                raise BadInput(f"{path.name} has two members called {entry.filename!r}")
            self._entries[entry.filename] = entry
        if sum(entry.file_size for entry in entries) > LARGEST_WHOLE:
            raise BadInput(f"{path.name} unpacks to more than {LARGEST_WHOLE:,} bytes")
        self.name = path.name

    def names(self) -> list[str]:
        """Every member, sorted."""
        return sorted(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """A member; BadInput if it is missing, damaged, or not of the size it claims."""
        if name not in self._entries:
            raise BadInput(f"{self.name} has no member {name}")
        entry = self._entries[name]
        try:
            with self._file.open(entry) as member:
                content = member.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
            raise BadInput(f"{name} in {self.name} is damaged: {error}") from None
        if len(content) != entry.file_size:
            raise BadInput(
                f"{name} in {self.name} is not of the {entry.file_size:,} bytes it claims"
            )
        return content

    def mismatches(self) -> list[str]:
        """What is wrong with the members by the list of sums, a sentence each."""
        sums = _sums(self.name, self.read(SUMS))
        wrong = [
            f"{name} is listed and not there" for name in sorted(sums.keys() - set(self.names()))
        ]
        for name in self.names():
            if name == SUMS:
                continue
            if name not in sums:
                wrong.append(f"{name} is there and not listed")
            elif (found := hashlib.sha256(self.read(name)).hexdigest()) != sums[name]:
                wrong.append(
                    f"{name} was changed: its hash is {found[:12]}…, not {sums[name][:12]}…"
                )
        return wrong


def _check(zipped: str, entry: zipfile.ZipInfo, known: re.Pattern[str]) -> None:
    """BadInput unless this is an ordinary file with a known name."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    shown = repr(name[:120])
    steps = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or ".." in steps or "\x00" in name or re.match(r"\w:", name):
        raise BadInput(f"{zipped} names a file outside itself: {shown}")
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise BadInput(f"{zipped} holds something that is no ordinary file: {shown}")
    plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if entry.flag_bits & 1 or not plain:
        raise BadInput(f"{shown} in {zipped} is encrypted or compressed in an unusual way")
    if not known.fullmatch(name):
        raise BadInput(f"{zipped} holds a file that does not belong there: {shown}")
    if entry.file_size > LARGEST_MEMBER:
        raise BadInput(
            f"{shown} in {zipped} unpacks to {entry.file_size:,} bytes; at most {LARGEST_MEMBER:,}"
        )


def _sums(zipped: str, text: bytes) -> dict[str, str]:
    """Name → SHA-256, as the tool of that name lists them."""
    found = {}
    for line in text.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  (.{1,200})", line)
        if not match:
            raise BadInput(f"{SUMS} in {zipped} has a line that is no sum: {line[:80]!r}")
        found[match[2]] = match[1]
    return found
