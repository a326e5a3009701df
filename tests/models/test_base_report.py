"""What a glance at a folder shows, and reports that hold until a file changes."""

import pytest
from support.base_folders import edit_json, split_into_shards, write_base

from peftcore.models import base_report
from peftcore.models.base_report import BaseFinding, BaseReport


@pytest.fixture
def folder(tmp_path):
    return write_base(tmp_path / "mine")


def test_a_whole_folder_of_a_known_family_is_usable(folder):
    report = base_report.glance(folder)
    assert report.usable
    assert report.reason == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "no-such"}, "no-such"),
        ({"model_type": None}, "names no model_type"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
    ],
)
def test_a_config_that_cannot_be_used_is_said_in_one_sentence(folder, changes, reason):
    edit_json(folder / "config.json", **changes)
    report = base_report.glance(folder)
    assert not report.usable
    assert report.reason.startswith("mine cannot be used: ")
    assert reason in report.reason
    assert "\n" not in report.reason


def test_a_config_that_is_no_json_is_named(folder):
    (folder / "config.json").write_text("{")
    assert "not JSON" in base_report.glance(folder).reason


def test_a_missing_shard_is_named(folder):
    """Case A22 (hiyouga/LlamaFactory#3238)."""
    shards = split_into_shards(folder)
    assert len(shards) > 2
    assert base_report.glance(folder).usable
    shards[1].unlink()
    assert f"1 of its {len(shards)} files of weights is missing: {shards[1].name}" in (
        base_report.glance(folder).reason
    )


def test_pickles_cut_files_and_a_missing_tokenizer_are_named(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    assert "model.safetensors" in base_report.glance(folder).reason
    weights.rename(folder / "pytorch_model.bin")
    assert "a pickle (pytorch_model.bin)" in base_report.glance(folder).reason
    other = write_base(folder.parent / "mute")
    for name in base_report.TOKENIZER_FILES:
        (other / name).unlink(missing_ok=True)
    assert "no tokenizer" in base_report.glance(other).reason


def test_a_kept_report_holds_until_a_file_of_the_folder_changes(folder):
    report = BaseReport("mine", (BaseFinding("weights", "error", "too heavy"),))
    base_report.keep_report(folder, report)
    assert base_report.kept_report(folder) == report
    assert base_report.glance(folder).reason == "mine cannot be used: too heavy"
    (folder / "tokenizer_config.json").write_text("{}")
    assert base_report.kept_report(folder) is None
    assert base_report.glance(folder).usable
