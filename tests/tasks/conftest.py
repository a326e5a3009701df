"""Data for tasks: invented rows that are always there, and real ones where there are some."""

import json
import os

import pytest

from peftcore import paths


@pytest.fixture
def invented(tmp_path, monkeypatch):
    """Write rows of a data set into a data directory of this test's own."""
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def write(folder, **splits):
        (tmp_path / folder).mkdir()
        for split, rows in splits.items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (tmp_path / folder / f"{split}.jsonl").write_text(lines, "utf-8")

    return write


@pytest.fixture
def real(monkeypatch):
    """Point the data directory at real data of that name, or skip."""
    given = os.environ.get("PEFTCORE_DATA")
    directory = paths.data_folder() if given else paths.ROOT.parent / "shared" / "data"
    monkeypatch.setenv("PEFTCORE_DATA", str(directory))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def need(folder):
        if not (directory / folder).is_dir():
            pytest.skip(f"no {folder} in {directory}")

    return need
