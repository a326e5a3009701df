"""A base is checked as a whole: config, weights, tokenizer and settings belong together."""

import pytest
from support.base_folders import edit_json, split_into_shards, write_base
from support.bases import FAMILIES

from peftcore.errors import BadInput
from peftcore.models import base_report, catalog, check
from peftcore.models.base_model import load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A random Llama, as somebody's own."""
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    return write_base(tmp_path / "mine")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_healthy_base_of_every_family_is_usable_and_every_part_was_looked_at(tmp_path, family):
    report = check.check_base(write_base(tmp_path / family, family))
    assert report.usable
    assert report.complete
    subjects = {finding.subject for finding in report.findings}
    assert {"config", "weights", "tokenizer", "positions", "special tokens"} <= subjects
    assert {finding.level for finding in report.findings} == {"ok"}


def test_all_shards_load_and_a_missing_one_is_named(folder):
    """Case A22 (hiyouga/LlamaFactory#3238)."""
    whole = load("mine").fingerprint
    shards = split_into_shards(folder)
    assert check.check_base(folder).usable
    assert load("mine").fingerprint == whole
    shards[0].unlink()
    for look in (lambda: load("mine"), lambda: catalog.describe_base("mine")):
        with pytest.raises(BadInput, match=f"is missing: {shards[0].name}"):
            look()


def test_settings_of_generation_that_are_not_used_are_said(folder):
    edit_json(folder / "generation_config.json", repetition_penalty=1.8)
    report = check.check_base(folder)
    assert report.usable
    assert any("repetition_penalty 1.8" in f.sentence for f in report.findings)


def test_a_report_is_kept_until_the_folder_changes(folder, monkeypatch):
    first = check.read_report("mine")
    monkeypatch.setattr(check, "check_base", None)  # it is not asked again
    assert check.read_report("mine") == first
    monkeypatch.undo()
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder.parent))
    edit_json(folder / "config.json", num_hidden_layers=3)
    assert not check.read_report("mine").usable
    assert not base_report.glance(folder).usable


def test_a_folder_whose_weights_are_a_pickle_has_a_report_too(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "is a pickle" not in (reason := check.read_report("mine").reason)
    assert "a pickle (pytorch_model.bin)" in reason
    with pytest.raises(BadInput, match="a pickle"):
        load("mine")
