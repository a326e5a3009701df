import copy
import json
import subprocess
import sys

import pytest
import torch
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.models.base_model import FusedGELU, load, restore_library_modules


@pytest.fixture
def model_folders(tmp_path, monkeypatch):
    """A folder of models of one's own with one random T5."""
    base = build_tiny("t5")
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    return tmp_path


def test_a_folder_of_ones_own_is_described_without_loading_it(model_folders):
    assert "mine" in catalog.base_names()
    info = catalog.describe_base("mine")
    assert (info.kind, info.family, info.width, info.layers) == ("encoder-decoder", "t5", 16, 2)
    assert info.parameter_count == build_tiny("t5").parameter_count


def test_a_loaded_base_is_frozen_in_evaluation_mode_and_known_by_its_weights(model_folders):
    base = load("mine")
    assert not base.model.training
    assert not any(p.requires_grad for p in base.model.parameters())
    assert base.fingerprint == build_tiny("t5").fingerprint
    assert base.fingerprint != build_tiny("t5", seed=1).fingerprint


def test_a_tokenizer_without_weights_is_no_base(model_folders):
    (model_folders / "half").mkdir()
    (model_folders / "half" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert "half" not in catalog.base_names()


def test_an_unknown_base_gets_close_matches(model_folders):
    with pytest.raises(BadInput, match=r"no base 'mien'; did you mean 'mine'"):
        catalog.locate_base("mien")


def test_pickled_weights_are_not_read(model_folders):
    import torch

    (model_folders / "mine" / "model.safetensors").unlink()
    torch.save({}, model_folders / "mine" / "pytorch_model.bin")
    with pytest.raises(BadInput, match="cannot be loaded"):
        load(str(model_folders / "mine"))


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes((10**12).to_bytes(8, "little") + b"{}")
    with pytest.raises(BadInput, match="not a safetensors file"):
        catalog.stored_parameter_count(tmp_path)


def test_listing_bases_and_methods_needs_no_torch():
    code = (
        "import sys; from peftcore.models import catalog;"
        "from peftcore.adapters.base import METHODS;"
        "from peftcore.training.planning import build_spec; catalog.base_names(); METHODS.values();"
        "assert 'torch' not in sys.modules, 'torch'"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


def test_a_base_is_described_by_its_card_below_title_and_links(model_folders):
    front, title = "---\ntags:\n- x\n---\n\n", "# mine\n"
    text = "A [small](https://example.org) model\nof mine.\n\n```\nx\n```\n\nMore."
    (model_folders / "mine" / "README.md").write_text(front + title + text)
    assert catalog.describe_base("mine").note == "A small model of mine."
