"""Random bases that runs of a few steps are trained on."""

import pytest
from support.bases import build_tiny


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Random bases "mine" (T5), "reader" (BERT) and "stranger" (T5 with other weights)."""
    for name, family, seed in (("mine", "t5", 0), ("reader", "bert", 0), ("stranger", "t5", 1)):
        base = build_tiny(family, seed)
        base.model.save_pretrained(tmp_path / name)
        base.tokenizer.save_pretrained(tmp_path / name)
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
