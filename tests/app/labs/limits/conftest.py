"""Limits with nothing loaded in the background."""

import pytest


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
