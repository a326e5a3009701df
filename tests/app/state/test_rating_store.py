"""The ratings as pages open them: once for a workspace, with the demo projects in it."""

from app.state.rating_store import current_experimenter, rating_store
from peftcore import rating


def test_a_workspace_is_opened_once_and_another_by_itself(tmp_path, monkeypatch):
    first = rating_store()
    assert rating_store() is first
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "other"))
    assert rating_store() is not first


def test_the_demo_projects_are_there_for_whoever_runs_the_lab():
    for login in ("", "ann@example.org"):
        projects = rating.list_projects(rating_store(), current_experimenter(login))
        assert projects
        assert all(project.demo for project in projects)
