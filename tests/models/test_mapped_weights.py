"""Weights that are kept in a file and mapped."""

import json
import os

import pytest
import torch
from support.bases import FAMILIES, build_tiny

from peftcore.models import base_model, mapped_weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Saves a base of a family in half precision as `mine`; returns its folder."""
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    monkeypatch.setattr(mapped_weights, "MIN_BYTES", 0)

    def save(family, dtype=torch.bfloat16):
        base = build_tiny(family)  # a model of its own, because it is changed
        base.model.to(dtype).save_pretrained(tmp_path / "mine")
        base.tokenizer.save_pretrained(tmp_path / "mine")
        return tmp_path / "mine"

    return save


def kept(home):
    return sorted((home / "mapped").glob("*.safetensors"))


def counted(monkeypatch, name):
    """Counts the calls of a function of base_model."""
    calls, original = [], getattr(base_model, name)
    monkeypatch.setattr(base_model, name, lambda *args: calls.append(1) or original(*args))
    return calls


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mapped_base_is_the_base_that_was_loaded(folder, home, family, monkeypatch):
    folder(family)
    hashed = counted(monkeypatch, "fingerprint")
    first = base_model.load("mine")
    assert len(kept(home)) == len(hashed) == 1
    monkeypatch.setattr(base_model.AUTO_CLASSES[first.kind], "from_pretrained", None)
    again = base_model.load("mine")
    assert len(hashed) == 1
    assert again.fingerprint == first.fingerprint == base_model.fingerprint(again.model)
    for model in (first.model, again.model):
        assert not any(p.requires_grad for p in model.parameters())
        assert not model.training
    old, new = dict(first.model.named_buffers()), dict(again.model.named_buffers())
    assert old.keys() == new.keys()
    assert all(torch.equal(old[name], new[name]) for name in old)
    tied = lambda model: len({id(p) for p in model.parameters()})
    assert tied(again.model) == tied(first.model)
    ids = torch.tensor([[5, 6, 7, 8]])
    given = {"input_ids": ids} | ({"decoder_input_ids": ids} if family == "t5" else {})
    with torch.no_grad():
        assert torch.equal(again.model(**given)[0], first.model(**given)[0])
    if family != "bert":
        settings = [model.generation_config.to_dict() for model in (first.model, again.model)]
        assert settings[0] == settings[1]


def test_writing_to_a_mapped_weight_leaves_the_file_alone(folder, home):
    folder("llama")
    base_model.load("mine")
    (path,) = kept(home)
    before, mapped = path.read_bytes(), base_model.load("mine")
    mapped.embeddings.data.add_(1.0)
    assert path.read_bytes() == before
    assert base_model.load("mine").fingerprint != base_model.fingerprint(mapped.model)


def test_a_base_whose_files_changed_is_loaded_anew(folder, home):
    where = folder("llama")
    before = base_model.load("mine").fingerprint
    other = build_tiny("llama", seed=1)
    other.model.to(torch.bfloat16).save_pretrained(where)
    (weights,) = where.glob("*.safetensors")
    os.utime(weights, ns=(1, 1))  # whatever the clock's steps
    assert base_model.load("mine").fingerprint != before
    assert len(kept(home)) == 2


def test_a_damaged_file_is_made_anew(folder, home):
    folder("llama")
    wanted = base_model.load("mine")
    (path,) = kept(home)
    for damage in (b"", b"\x00" * 100, path.read_bytes()[:-8]):
        path.write_bytes(damage)
        again = base_model.load("mine")
        assert base_model.fingerprint(again.model) == wanted.fingerprint
        assert path.stat().st_size > 100


@pytest.mark.parametrize(("name", "value"), [("MIN_BYTES", 10**9), ("MAX_BYTES", 10)])
def test_what_is_too_small_or_too_large_is_not_kept(folder, home, monkeypatch, name, value):
    monkeypatch.setattr(mapped_weights, name, value)
    folder("llama")
    base_model.load("mine")
    assert not kept(home)


def test_single_precision_is_mapped_from_the_bases_own_file(folder, home):
    folder("llama", torch.float32)
    base_model.load("mine")
    assert not kept(home)


def test_the_files_unused_for_longest_go_first(folder, home, monkeypatch):
    folder("llama")
    base_model.load("mine")
    (first,) = kept(home)
    for n, name in enumerate(("old", "older")):
        other = first.with_stem(name)
        other.write_bytes(first.read_bytes())
        os.utime(other, ns=(10 - n, 10 - n))
    first.unlink()
    monkeypatch.setattr(mapped_weights, "MAX_BYTES", 5 * first.with_stem("old").stat().st_size // 2)
    base_model.load("mine")
    assert sorted(path.stem for path in kept(home)) == sorted(["old", first.stem])


def test_a_model_with_tensors_of_no_known_place_is_not_kept(folder, home, monkeypatch):
    folder("llama")
    monkeypatch.setattr(
        base_model, "_empty_model", lambda *_: torch.nn.Linear(2, 2)
    )  # not the same model
    assert base_model.load("mine").kind == "decoder"
    assert not kept(home)


def test_the_fingerprint_is_kept_as_text(folder, home):
    where = folder("llama", torch.float32)
    base = base_model.load("mine")
    (note,) = (home / "mapped").glob("*.json")
    assert json.loads(note.read_text()) == {"base": "mine", "fingerprint": base.fingerprint}
    assert mapped_weights.known_fingerprint(where) == base.fingerprint
