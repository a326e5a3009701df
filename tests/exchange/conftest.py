"""Random bases, and a folder that could be imported."""

import pytest
from support.bases import build_tiny
from support.exchanged_adapters import learnt

from peftcore.exchange import folders


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A random base of every family, and another T5 of the same shape, as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    for name, family, seed in [
        *((f"my-{f}", f, 0) for f in ("t5", "bert", "gpt2", "llama")),
        ("stranger", "t5", 1),
    ]:
        base = build_tiny(family, seed)
        base.model.save_pretrained(folder / name)
        base.tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture
def own(models, monkeypatch):
    """Those bases are the ones that are known."""
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))


@pytest.fixture
def folder(own, tmp_path):
    """A folder of the package that could be imported."""
    run, base = learnt("t5", "lora")
    folders.export_peft(run, 5, tmp_path / "out", base)
    return tmp_path / "out"
