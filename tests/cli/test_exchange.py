import json
import zipfile

import pytest
from support.bases import build_tiny
from support.commands import SHORT, call, printed, refused

from peftcore.runs.store import RunStore

ASKED = ["--base", "random-t5", "--task", "miniworld_nli"]


@pytest.fixture(autouse=True)
def own(tmp_path_factory, monkeypatch):
    """A random base as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    base = build_tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder))


def trained(method="lora"):
    return printed("train", *ASKED, "--method", method, *SHORT)["run"]


@pytest.mark.parametrize("to", ["peft", "merged"])
def test_export_writes_a_folder_and_names_its_files(tmp_path, to):
    result = printed("export", trained(), "--to", to, "--seed", "1", "--out", str(tmp_path / "out"))
    assert result["seed"] == 1
    assert result["files"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    wanted = "adapter_config.json" if to == "peft" else "model.safetensors"
    assert wanted in result["files"]


def test_what_was_exported_can_be_imported_and_is_a_run(tmp_path):
    call("export", trained(), "--to", "peft", "--out", str(tmp_path / "out"))
    result = printed("import", str(tmp_path / "out"), *ASKED)
    assert result["method"] == "lora"
    assert result["settings"]["rank"] == 8
    run = RunStore().open(result["run"])
    assert result["trainable"] == run.status().trainable > 0
    assert any(row["run"] == run.id and row["scores"] == {} for row in printed("runs"))


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path):
    run, out = trained("prefix_tuning"), str(tmp_path / "out")
    assert "none for the encoder" in refused("export", run, "--to", "peft", "--out", out)
    assert "no format 'onnx'" in refused("export", run, "--to", "onnx", "--out", out)
    assert "no seed '7'" in refused("export", run, "--to", "peft", "--seed", "7", "--out", out)
    assert "no adapter_config.json" in refused("import", str(tmp_path), *ASKED)


def test_a_bundle_is_checked_and_reproduced(tmp_path):
    run, path = trained(), str(tmp_path / "a.zip")
    result = printed("bundle", run, "--out", path)
    assert result["answers"] is False
    assert set(result["files"]) | {"SHA256SUMS"} == set(zipfile.ZipFile(path).namelist())
    assert printed("reproduce", path, "--check")["findings"] == []
    report = printed("reproduce", path, "--device", "cpu")
    assert report["identical"] is True
    assert {score["difference"] for score in report["scores"]} == {0.0}
    assert "identical" in call("reproduce", path, "--device", "cpu").stdout


def test_a_check_that_fails_says_so_in_its_status(tmp_path):
    run, path = trained(), tmp_path / "a.zip"
    call("bundle", run, "--out", str(path))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"runs/{run}/answers.parquet", b"new")
    done = call("reproduce", str(path), "--check", "--json")
    assert done.exit_code == 1
    finding = json.loads(done.stdout)["findings"][0]
    assert (finding["what"], finding["fatal"]) == ("file", True)
    assert "there and not listed" in refused("reproduce", str(path))
