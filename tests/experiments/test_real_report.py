"""The report beside the runs on a real base."""

import pytest

from peftcore import paths
from peftcore.experiments import real_report
from peftcore.experiments.real_runs import MEASURES_FILE, real_specs
from peftcore.runs.store import RunStore
from peftcore.system import atomic_files

FOLDER = paths.ASSETS / "real_runs"
SHIPPED = [RunStore().open(spec.id) for spec in real_specs()]
DATA = paths.ROOT.parent / "shared" / "data"


def test_the_report_beside_them_is_what_the_command_writes(tmp_path, monkeypatch):
    if not DATA.is_dir():
        pytest.skip("scores of explanations need the data")
    monkeypatch.setenv("PEFTCORE_DATA", str(DATA))
    measured = atomic_files.read_json(FOLDER / MEASURES_FILE)
    assert measured.get("runs", [run.id for run in SHIPPED]) == [run.id for run in SHIPPED]
    real_report.write_report(tmp_path, SHIPPED, measured)
    assert (tmp_path / "README.md").read_text("utf-8") == (FOLDER / "README.md").read_text("utf-8")
