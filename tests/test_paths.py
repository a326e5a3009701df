"""Where things lie: in the project's folder, or in the user's own once it is installed."""

from pathlib import Path

from peftcore import paths

PROJECT = Path(__file__).parents[1]


def test_run_from_its_folder_everything_lies_in_it(monkeypatch):
    monkeypatch.delenv("PEFTCORE_DATA", raising=False)
    assert not paths.INSTALLED
    assert paths.data_folder() == PROJECT / "data"
    assert (paths.PAGES / "home.py").is_file()


def test_installed_data_lie_in_the_users_own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "INSTALLED", True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("PEFTCORE_DATA", "PEFTCORE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert paths.data_folder() == tmp_path / "adapter-lab" / "data"
    assert paths.workspace_folder() == tmp_path / "adapter-lab" / "workspace"
