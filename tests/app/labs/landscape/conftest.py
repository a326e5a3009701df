"""Landscape without demo runs, shipped landscapes or a process."""

import pytest

from peftcore.labs.landscape.request import LandscapeJob


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, no shipped landscapes, no process started; the asks that were begun."""
    begun = []
    monkeypatch.setattr(LandscapeJob, "assets", lambda: tmp_path)
    monkeypatch.setattr(LandscapeJob, "start", begun.append)
    return begun
