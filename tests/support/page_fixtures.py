"""Fixtures for tests that open a page of the app; a conftest.py imports them."""

import pytest

from app.state import cache
from peftcore import paths
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


@pytest.fixture
def no_demo_runs(monkeypatch, tmp_path):
    """The only runs are those that a test makes."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))


@pytest.fixture
def no_demos(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ASSETS", _assets_without_demos(tmp_path))


def _assets_without_demos(folder):
    for part in ("models", "logo.svg", "icon.svg"):
        if (paths.ASSETS / part).exists():
            (folder / part).symlink_to(paths.ASSETS / part)
    return folder
