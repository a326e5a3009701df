"""A loaded base is frozen, known by its weights, and computes what the library does."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from support.bases import build_tiny
from support.families import build_family
from transformers import AlbertConfig

from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.models.base_model import FusedGELU, load, restore_library_modules


def test_a_loaded_base_is_frozen_in_evaluation_mode_and_known_by_its_weights(model_folder):
    base = load("mine")
    assert not base.model.training
    assert not any(p.requires_grad for p in base.model.parameters())
    assert base.fingerprint == build_tiny("t5").fingerprint
    assert base.fingerprint != build_tiny("t5", seed=1).fingerprint


@pytest.mark.parametrize(
    "name", ["bart", "distilbert", "electra", "gemma2", "gpt_neo", "phi3", "roberta", "t5gemma"]
)
def test_a_folder_of_any_family_is_described_and_loaded(name, tmp_path):
    made = build_family(name)
    made.model.save_pretrained(tmp_path / name)
    made.tokenizer.save_pretrained(tmp_path / name)
    info, base = catalog.describe_base(str(tmp_path / name)), load(str(tmp_path / name))
    assert base.fingerprint == made.fingerprint
    known = base.structure
    assert (info.kind, info.width, info.layers) == (base.kind, known.width, known.layers)
    assert info.window == known.window


def test_a_folder_of_a_family_that_cannot_be_used_is_refused_in_one_sentence(tmp_path):
    folder = tmp_path / "mine"
    AlbertConfig(vocab_size=64).save_pretrained(folder)
    for read in (catalog.describe_base, load):
        with pytest.raises(
            BadInput, match=r"mine cannot be used: the family ALBERT .* work: bart, "
        ):
            read(str(folder))


def test_pickled_weights_are_not_read(model_folder):
    import torch

    (model_folder / "mine" / "model.safetensors").unlink()
    torch.save({}, model_folder / "mine" / "pytorch_model.bin")
    with pytest.raises(BadInput, match="its weights are a pickle"):
        load(str(model_folder / "mine"))


def test_a_base_computes_what_the_library_does(tiny):
    ours = tiny("gpt2").model
    theirs = restore_library_modules(copy.deepcopy(ours))
    ids = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        torch.testing.assert_close(
            ours(input_ids=ids).logits, theirs(input_ids=ids).logits, rtol=1e-4, atol=1e-5
        )
    assert any(isinstance(m, FusedGELU) for m in ours.modules())
    assert not any(isinstance(m, FusedGELU) for m in theirs.modules())


def test_two_visitors_may_load_two_bases_at_the_same_moment():
    names = ["tiny-digits", "tiny-scenes"] * 3
    with ThreadPoolExecutor(2) as pool:
        for base in pool.map(load, names):
            model = base.model
            assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
