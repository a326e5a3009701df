"""Tiny random models of every family, and settings every test runs under."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from random_models import build_tiny


@pytest.fixture(scope="session")
def tiny():
    """family → the same random base every time; nobody may change it."""
    made = {}
    return lambda family: made.setdefault(family, build_tiny(family))


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Every test writes to a folder of its own."""
    path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PEFTCORE_HOME", str(path))
    return path
