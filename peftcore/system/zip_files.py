"""Zip files: equal bytes for equal content, and foreign ones checked before use.

A zip can name files outside its folder, contain links, claim a wrong size, or expand to more than
any disk. Here nothing is ever unpacked to disk by its own name: members are read into memory one by
one, and only names that the caller knows.
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
from peftcore.system import server_limits

MAX_RATIO = 200  # of a large member's size to what it takes in the zip: tables reach 30
SMALL_BYTES = 10_000_000  # members up to here may be as thin as they like
CHECKSUMS_NAME = "SHA256SUMS"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can state


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """Pack these members and their SHA-256 sums into a zip, sorted, without times."""
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(members.items())
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in sorted({**members, CHECKSUMS_NAME: sums.encode()}.items()):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return target.getvalue()


class CheckedZip:
    """A zip whose list of contents has been checked; members are checked when read."""

    def __init__(self, path: Path, allowed_names: re.Pattern[str]) -> None:
        """Open a zip; BadInput unless every member has a known name and an acceptable size."""
        try:
            self._file = zipfile.ZipFile(path)
            entries = self._file.infolist()
        except FileNotFoundError:
            raise BadInput(f"there is no file {str(path)!r}") from None
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise BadInput(f"{path.name} is not a zip file that can be read: {error}") from None
        server_limits.ZIP_MEMBERS.check(len(entries), f"{path.name} has {len(entries):,} members")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            _check_entry(path.name, entry, allowed_names)
            if entry.filename in self._entries:
                raise BadInput(f"{path.name} has two members called {entry.filename!r}")
            self._entries[entry.filename] = entry
        total = sum(entry.file_size for entry in entries)
        server_limits.ZIP_TOTAL.check(total / 1e6, f"{path.name} unpacks to {total:,} bytes")
        self.name = path.name

    def names(self) -> list[str]:
        """List the members, sorted."""
        return sorted(self._entries)

    def __contains__(self, name: str) -> bool:
        """Return whether there is a member of this name."""
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Read a member; BadInput if it is missing, damaged, or not of the size it claims."""
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

    def checksum_mismatches(self) -> list[str]:
        """List in a sentence each what is wrong with members by their SHA-256 sums."""
        sums = _parse_checksums(self.name, self.read(CHECKSUMS_NAME))
        problems = [
            f"{name} is listed and not there" for name in sorted(sums.keys() - set(self.names()))
        ]
        for name in self.names():
            if name == CHECKSUMS_NAME:
                continue
            if name not in sums:
                problems.append(f"{name} is there and not listed")
            elif (digest := hashlib.sha256(self.read(name)).hexdigest()) != sums[name]:
                problems.append(
                    f"{name} was changed: its hash is {digest[:12]}…, not {sums[name][:12]}…"
                )
        return problems


def _check_entry(zipped: str, entry: zipfile.ZipInfo, allowed_names: re.Pattern[str]) -> None:
    """Raise BadInput unless this is an ordinary file with a known name."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    quoted_name = repr(name[:120])
    steps = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or ".." in steps or "\x00" in name or re.match(r"\w:", name):
        raise BadInput(f"{zipped} names a file outside itself: {quoted_name}")
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise BadInput(f"{zipped} holds something that is no ordinary file: {quoted_name}")
    is_plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if entry.flag_bits & 1 or not is_plain:
        raise BadInput(f"{quoted_name} in {zipped} is encrypted or compressed in an unusual way")
    if not allowed_names.fullmatch(name):
        raise BadInput(f"{zipped} holds a file that does not belong there: {quoted_name}")
    server_limits.ZIP_MEMBER.check(
        entry.file_size / 1e6, f"{quoted_name} in {zipped} unpacks to {entry.file_size:,} bytes"
    )
    if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
        raise BadInput(
            f"{quoted_name} in {zipped} unpacks to {entry.file_size:,} bytes from "
            f"{entry.compress_size:,}: at most {MAX_RATIO} times as many are read"
        )


def _parse_checksums(zipped: str, text: bytes) -> dict[str, str]:
    """Parse name → SHA-256 from a list in the format of `sha256sum`."""
    sums = {}
    for line in text.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  (.{1,200})", line)
        if not match:
            raise BadInput(f"{CHECKSUMS_NAME} in {zipped} has a line that is no sum: {line[:80]!r}")
        sums[match[2]] = match[1]
    return sums
