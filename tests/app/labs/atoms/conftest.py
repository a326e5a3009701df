"""Atoms without demo runs, shipped measurements or a process."""

import pytest

from peftcore.labs.atoms.request import AtomsJob


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, nothing shipped, no process started; the asks that were begun."""
    begun = []
    monkeypatch.setattr("app.state.wait_for_imports.ready_or_wait", lambda name: True)
    monkeypatch.setattr(AtomsJob, "assets", lambda: tmp_path)
    monkeypatch.setattr(AtomsJob, "start", begun.append)
    return begun
