"""Runs as they ship: which files, and that these are what they were."""

import json

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.runs import make_run, write_adapter

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.ship import ADAPTER_FILE, SHIPPED_FILES, ship
from peftcore.runs.store import EXAMPLE_TEXTS, RunStore

SHELVES = (
    *(
        "demo_runs",
        "real_runs",
        "study_runs",
        "ladder_runs",
        "component_runs",
        "sweep_runs",
        "pictures/runs",
    ),
)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", SHELVES)
def test_a_shipped_run_ships_again_byte_by_byte(name, tmp_path):
    folder_here = paths.ASSETS / name
    runs = RunStore(tmp_path / "none", folder_here).all(
        include_studies=name in ("study_runs", "ladder_runs")
    )
    assert runs
    for run in runs:
        before = contents(run.folder)
        with_path = any(file.startswith("path") for file in before)
        ship(run, tmp_path / "out", adapter=ADAPTER_FILE in before, path=with_path)
        assert contents(tmp_path / "out" / run.id) == before


def test_only_what_pages_show_ships(tmp_path):
    run = make_run()
    for name in ("checkpoint.safetensors", ADAPTER_FILE, "path/000005.safetensors"):
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).write_bytes(b"numbers")
    write_adapter(run)
    (tmp_path / run.id).mkdir()
    (tmp_path / run.id / "old").touch()
    assert set(contents(ship(run, tmp_path).folder)) <= set(SHIPPED_FILES)
    more = ship(run, tmp_path, adapter=True, path=True)
    assert {ADAPTER_FILE, "path/000005.safetensors"} == set(contents(more.folder)) - {
        *SHIPPED_FILES
    }
    assert more.scores() == run.scores()
    assert ship(more, tmp_path).folder == more.folder  # it is there already, and stays whole
    assert (more.folder / ADAPTER_FILE).is_file()


def test_an_unfinished_run_does_not_ship(tmp_path):
    run = make_run()
    run.write_status(state="cancelled")
    with pytest.raises(BadInput, match="is cancelled"):
        ship(run, tmp_path)


def test_texts_that_belong_to_others_stay_behind_and_come_back_from_the_data(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "comve"
    folder.mkdir(parents=True)
    rows = [
        {"sent0": f"He drinks {n} cups", "sent1": f"He drinks {n} stones", "label": n % 2}
        | {"explanation_1": f"{n} stones are solid"}
        for n in range(8)
    ]
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    monkeypatch.setenv("PEFTCORE_DATA", str(folder.parent))
    run = make_run("lora", "comve")
    shipped = ship(run, tmp_path, texts=False)
    stored = (shipped.folder / "answers.parquet").read_bytes()
    gold = run.answers()
    assert not any(text.encode() in stored for text in gold["source"])
    pd.testing.assert_frame_equal(shipped.answers(), gold)
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    alone = shipped.answers()
    assert alone["source"].str.contains("its text does not ship").all()
    assert all(references == [] for references in alone["references"])
    pd.testing.assert_frame_equal(
        alone.drop(columns=list(EXAMPLE_TEXTS)), gold.drop(columns=list(EXAMPLE_TEXTS))
    )


def test_runs_on_a_real_base_are_listed_after_the_demo_runs(tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "demo_runs")
    for name, method in (("real_runs", "lora"), ("demo_runs", "spt")):
        ship(make_run(method), tmp_path / name)
    assert [run.spec.method for run in store.all()] == ["spt", "lora"]
    assert all(run.demo for run in store.all())
    real = store.all()[1]
    assert store.open(real.id).folder.parent == store.real_folder
    assert store.all(include_demos=False) == []


def test_an_adapter_ships_in_half_precision_with_its_note(tmp_path):
    run, note = make_run(), {"peftcore": '{"fingerprint": "f0"}'}
    tensors = {"a": torch.linspace(-3, 3, 50), "a#places": torch.arange(4)}
    save_file(tensors, run.folder / ADAPTER_FILE, metadata=note)
    shipped = ship(run, tmp_path, adapter=True, half=True).folder / ADAPTER_FILE
    with safe_open(shipped, "pt") as file:
        assert file.metadata() == note
        assert torch.equal(file.get_tensor("a"), tensors["a"].half())
        assert torch.equal(file.get_tensor("a#places"), tensors["a#places"])
    assert torch.equal(load_file(run.folder / ADAPTER_FILE)["a"], tensors["a"])
