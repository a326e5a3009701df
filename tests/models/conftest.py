"""Bases of one's own that tests of models start from."""

import pytest
from support.bases import build_tiny


@pytest.fixture
def model_folder(tmp_path, monkeypatch):
    """A folder of models of one's own with one random T5."""
    base = build_tiny("t5")
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    return tmp_path
