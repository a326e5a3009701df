import json
import shutil
import subprocess
import sys

import pytest
from support.base_folders import edit_json, write_base
from support.bases import build_tiny

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.models.base_model import load


def test_a_folder_of_ones_own_is_described_without_loading_it(model_folder):
    assert "mine" in catalog.base_names()
    info = catalog.describe_base("mine")
    assert (info.kind, info.family, info.width, info.layers) == ("encoder-decoder", "t5", 16, 2)
    assert info.parameter_count == build_tiny("t5").parameter_count


def test_a_tokenizer_without_weights_is_no_base(model_folder):
    (model_folder / "half").mkdir()
    (model_folder / "half" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert "half" not in catalog.base_names()


def test_an_unknown_base_gets_close_matches(model_folder):
    with pytest.raises(BadInput, match=r"no base 'mien'; did you mean 'mine'"):
        catalog.locate_base("mien")


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


def test_a_base_is_described_by_its_card_below_title_and_links(model_folder):
    front, title = "---\ntags:\n- x\n---\n\n", "# mine\n"
    text = "A [small](https://example.org) model\nof mine.\n\n```\nx\n```\n\nMore."
    (model_folder / "mine" / "README.md").write_text(front + title + text)
    assert catalog.describe_base("mine").note == "A small model of mine."


def test_a_base_is_at_hand_if_it_lies_here_or_a_hub_can_be_asked(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert catalog.is_at_hand("tiny-t5")
    assert not catalog.is_at_hand("someone/model")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert catalog.is_at_hand("someone/model")
    assert not catalog.is_at_hand("nothing-of-this-name")


def test_a_bad_folder_is_left_out_with_a_reason_and_others_stay(model_folder):
    """Case A01 (huggingface/peft#378)."""
    bad = write_base(model_folder / "bad", "bert")
    edit_json(bad / "config.json", model_type="no-such")
    assert "mine" in catalog.base_names()
    assert "bad" not in catalog.base_names()
    assert set(catalog.unusable_bases()) == {"bad"}
    reason = catalog.unusable_bases()["bad"]
    assert reason.startswith("bad cannot be used: ")
    for ask in (catalog.describe_base, load):
        with pytest.raises(BadInput) as refused:
            ask("bad")
        assert str(refused.value) == reason


def test_nothing_that_ships_is_unusable():
    assert catalog.unusable_bases() == {}


def test_a_tokenizer_alone_is_no_unusable_base_either(model_folder):
    (model_folder / "half").mkdir()
    edit_json(model_folder / "half" / "config.json", model_type="bert")
    assert catalog.unusable_bases() == {}


def test_a_window_is_what_a_text_may_use(model_folder):
    """Case A04 (huggingface/transformers#14243)."""
    write_base(model_folder / "reader", "bert")
    assert catalog.describe_base("reader").window == 256
    edit_json(model_folder / "reader" / "config.json", model_type="roberta", pad_token_id=1)
    assert catalog.describe_base("reader").window == 254


def test_bases_of_the_workspace_are_listed_and_never_take_another_ones_place(
    model_folder, home, tmp_path
):
    for name in ("mine", "added", "tiny-gpt", ".adding-0123"):
        shutil.copytree(model_folder / "mine", home / "models" / name)
    folders = catalog.base_folders()
    assert folders["added"] == home / "models" / "added"
    assert folders["mine"] == model_folder / "mine"
    assert folders["tiny-gpt"].is_relative_to(paths.ASSETS)
    assert ".adding-0123" not in folders
