"""A workspace as one file: what comes back is what was there, on either database."""

import json
import zipfile

import pytest
import sqlalchemy as sa
from support import ratings as rated
from support.commands import call, printed, refused
from support.postgres import postgres  # noqa: F401

from peftcore import paths, rating
from peftcore.benchmarks import postgres_server
from peftcore.exchange import backup
from peftcore.jobs.queue import Queue
from peftcore.runs import annotation
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system.database import Database


def spec(n=0):
    return RunSpec(base="b", task="t", method=f"m{n}")


@pytest.fixture
def lab():
    return made_lab()


def made_lab():
    """Make a workspace with a run, its job, and a rating project with a rater."""
    job = Queue().submit(spec())
    annotation.annotate(RunStore().open(job.run_id), note="kept – ü")
    book = rating.RatingStore()
    project = rated.project(book, 2)
    rating.invite(book, rated.ME, project.id, "Ann", "ann@lab.example")
    book.close()
    return job


def contents(url=None):
    """Every row of every table that a backup takes."""
    database = Database(url)
    with database.read_only() as connection:
        tables = backup._tables(connection)
        found = {t.name: [tuple(row) for row in connection.execute(sa.select(t))] for t in tables}
    database.close()
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request, tmp_path, monkeypatch):
    """Goes on in a new workspace, on either database."""
    address = request.getfixturevalue("postgres") if request.param == "postgresql" else ""

    def go():
        monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "new" / "home"))
        if address:
            monkeypatch.setenv("PEFTCORE_DATABASE", address)

    return go


def test_a_workspace_comes_back_as_it_was_and_goes_on(lab, elsewhere, tmp_path):
    before, file = contents(), tmp_path / "lab.zip"
    assert {"jobs", "rating_raters", "rating_items"} <= {k for k, rows in before.items() if rows}
    written = printed("backup", str(file))
    assert (file.stat().st_mode & 0o777, written["file"]) == (0o600, str(file))
    elsewhere()
    back = printed("restore", str(file))
    assert (back["files"], back["rows"]) == (written["files"], written["rows"])
    assert contents() == before
    run = RunStore().open(lab.run_id)
    assert annotation.read_annotation(run).note == "kept – ü"
    assert Queue().submit(spec(1)).id > lab.id  # numbers go on behind those that came back
    assert "is not empty" in refused("restore", str(file))


def test_a_workspace_on_postgresql_goes_on_in_sqlite(tmp_path, monkeypatch):
    if reason := postgres_server.reason_without():
        pytest.skip(reason)
    monkeypatch.setenv("PEFTCORE_DATABASE", postgres_server.new_database())
    job, file = made_lab(), tmp_path / "lab.zip"
    before = contents()
    assert {"jobs", "rating_raters", "rating_items"} <= {k for k, rows in before.items() if rows}
    written = printed("backup", str(file))
    monkeypatch.delenv("PEFTCORE_DATABASE")
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "new"))
    back = printed("restore", str(file))
    assert (back["files"], back["rows"]) == (written["files"], written["rows"])
    assert Database().is_sqlite
    assert contents() == before
    assert annotation.read_annotation(RunStore().open(job.run_id)).note == "kept – ü"
    assert Queue().submit(spec(1)).id > job.id
    book = rating.RatingStore()
    [project] = [each for each in rating.list_projects(book, rated.ME) if not each.demo]
    who = rated.rater(book, project, "Bo")
    assert len(rated.rate_all(book, who)) == 2  # numbers of answers go on as well


def test_a_backup_lies_outside_and_is_written_whole(lab, tmp_path, monkeypatch):
    inside = paths.workspace_folder() / "lab.zip"
    assert "outside the workspace" in refused("backup", str(inside))
    file = tmp_path / "lab.zip"
    monkeypatch.setattr(backup, "_copy", lambda *_: 1 / 0)
    assert call_fails("backup", str(file))
    assert not file.exists()
    assert not list(tmp_path.glob(".backup-*"))


def call_fails(*words):
    return call(*words).exit_code == 1


def rewrite(file, change):
    """Write a zip anew with its members changed."""
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    with zipfile.ZipFile(file, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)


def edit_manifest(members, **changes):
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | changes).encode()


def damage_a_file(members):
    name = next(each for each in members if each.endswith("spec.json"))
    members[name] += b" "


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damage_a_file, "damaged"),
        (lambda m: m.update({"tables/jobs.json": b"[]"}), "damaged"),
        (lambda m: m.pop("tables/jobs.json"), "damaged"),
        (lambda m: edit_manifest(m, files={"files/../../out": "0"}), "outside itself"),
        (lambda m: edit_manifest(m, format=9), "newer version"),
        (lambda m: m.pop("manifest.json"), "not a backup"),
    ],
)
def test_a_damaged_or_foreign_file_changes_nothing(lab, tmp_path, monkeypatch, change, reason):
    file = tmp_path / "lab.zip"
    printed("backup", str(file))
    rewrite(file, change)
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "new"))
    assert reason in refused("restore", str(file))
    assert RunStore().all(include_demos=False) == []
    assert Queue().jobs() == []
    assert not list(tmp_path.glob(".restore-*"))


def test_what_is_no_zip_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "new"))
    (tmp_path / "odd.zip").write_text("odd")
    assert "is not a backup" in refused("restore", str(tmp_path / "odd.zip"))
    assert "there is no file" in refused("restore", str(tmp_path / "none.zip"))
