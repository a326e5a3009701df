"""What ships is made by one command, which goes on where it was stopped."""

import json

import pandas as pd
import pytest
from support.runs import write_adapter

from peftcore.labs.images import compute, demo_runs, results_store
from peftcore.models import base_model
from peftcore.runs.ship import SHIPPED_FILES


@pytest.fixture
def made(monkeypatch):
    """Training and measuring stood in for; what was done, in order."""
    done = []

    def work(run):
        done.append(f"{run.spec.task}/{run.spec.method}")
        for name in SHIPPED_FILES:
            if name.endswith((".json", ".jsonl")) and name not in ("spec.json", "status.json"):
                (run.folder / name).write_text("{}")
        run.write_answers(pd.DataFrame({"seed": [0]}))
        write_adapter(run)
        run.write_status(state="done")

    def measured(kind):
        return lambda *given: done.append(kind) or {"kind": kind, "rows": []}

    monkeypatch.setattr(base_model, "load", lambda name: name)
    monkeypatch.setattr(compute, "measure_pruning", measured("prune"))
    monkeypatch.setattr(compute, "measure_combination", measured("combine"))
    return work, done


def test_everything_is_made_once_and_what_is_missing_again(made, tmp_path):
    work, done = made
    runs = demo_runs.ship_image_runs(tmp_path, work, lambda words: None)
    assert len(runs) == len(set(done[:17])) == 17
    assert done[17:] == ["prune"] * 3 + ["combine"]
    shipped = {path.name for path in (results_store.assets_folder() / "runs").iterdir()}
    assert {run.id for run in runs} == shipped  # the same specs as those in the project
    atoms = [path.parent.name for path in tmp_path.glob("runs/*/adapter.safetensors")]
    assert len(atoms) == 3
    name = f"prune-{atoms[0]}"
    (tmp_path / "figures" / f"{name}.json").unlink()
    done.clear()
    demo_runs.ship_image_runs(tmp_path, work, lambda words: None)
    assert done == ["prune"]
    assert json.loads((tmp_path / "figures" / f"{name}.json").read_text())["kind"] == "prune"
