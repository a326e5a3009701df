"""Runs as they ship: which files, and that these are what they were."""

import pytest
from support.runs import make_run

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.ship import ADAPTER_FILE, SHIPPED_FILES, ship
from peftcore.runs.store import RunStore

SHELVES = ("demo_runs", "study_runs", "component_runs", "sweep_runs", "pictures/runs")


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", SHELVES)
def test_a_shipped_run_ships_again_byte_by_byte(name, tmp_path):
    folder_here = paths.ASSETS / name
    runs = RunStore(tmp_path / "none", folder_here).all(include_studies=name == "study_runs")
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
