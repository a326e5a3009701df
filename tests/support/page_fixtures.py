"""Fixtures for tests that open a page of the app; a conftest.py imports them."""

import json

import pytest

from app.state import cache
from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs.estimate_process import EstimateProcess, EstimateServer
from peftcore.runs.store import RunStore
from peftcore.training.planning import CostEstimate


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch):
    """No imports, and no process for costs: what must be known is counted here."""
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    monkeypatch.setattr(EstimateProcess, "estimate", estimate_here)


def estimate_here(process, spec, wanted=None):
    """Estimate a run in this process, as the other one would."""
    answer = EstimateServer().answer(json.dumps({"spec": spec.model_dump(mode="json")}))
    if "problem" in answer:
        raise BadInput(answer["problem"])
    return CostEstimate(**answer["estimate"])


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
