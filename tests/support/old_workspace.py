"""The workspace of commit e6a3bd9 (tests/old_workspace), unpacked for a test."""

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "old_workspace"
EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
NAMES = EXPECTED["names"]


def unpack(target):
    """Home, base models and exports below `target`, as old as a workspace of last week."""
    for name in ("home", "models", "exports"):
        with zipfile.ZipFile(FOLDER / f"{name}.zip") as file:
            file.extractall(target / name)
    week_ago = time.time() - 7 * 24 * 3600
    for path in (target / "home").rglob("*"):
        os.utime(path, (week_ago, week_ago))
    return target


def use(folder, patch):
    """Let everything work on an unpacked workspace."""
    patch.setenv("PEFTCORE_HOME", str(folder / "home"))
    patch.setenv("PEFTCORE_MODELS", str(folder / "models"))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """Where the old workspace lies, one for a file of tests."""
    return unpack(tmp_path_factory.mktemp("old"))


@pytest.fixture(autouse=True)
def old_home(old, home, monkeypatch):
    """The old workspace instead of the new one that every test gets."""
    use(old, monkeypatch)
    return old / "home"
