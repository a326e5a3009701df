"""`runs` and its parts: filter, group, name, tag, archive, delete, restore, clean."""

from support.commands import call, own_runs, printed, refused
from support.runs import make_run

from peftcore.runs.annotation import read_annotation


def test_runs_are_filtered_by_settings_tags_and_words():
    first = make_run("lora", settings={"rank": 4}).id
    second = make_run("lora", settings={"rank": 8}).id
    assert printed("runs", "tag", first, second, "--add", "mine")[0]["tags"] == ["mine"]
    printed("runs", "rename", first, "small")

    def ids(*words):
        return [row["run"] for row in printed("runs", *words)]

    assert ids("--tag", "mine", "--where", "settings.rank=8") == [second]
    assert ids("--text", "small") == [first]
    assert set(ids("--tag", "mine", "--method", "lora", "--state", "done")) == {first, second}
    assert "small #mine" in call("runs", "--tag", "mine").stdout
    assert "No run fits" in call("runs", "--tag", "nothing").stdout
    groups = printed("runs", "--tag", "mine", "--group", "settings.rank")
    assert [row["value"] for row in groups] == ["4", "8"]
    assert "no setting" in refused("runs", "--group", "rang")


def test_notes_are_written_and_read():
    run = make_run("lora").id
    printed("runs", "note", run, "a second look")
    assert printed("runs", "note", run)["note"] == "a second look"


def test_archived_runs_are_left_out_and_come_back():
    run = make_run("lora")
    call("runs", "archive", run.id)
    assert own_runs() == []
    assert [row["run"] for row in printed("runs", "--archived") if not row["demo"]] == [run.id]
    call("runs", "archive", run.id, "--undo")
    assert not read_annotation(run).archived


def test_deleted_runs_are_listed_restored_and_deleted_for_good():
    run = make_run("lora").id
    printed("runs", "delete", run)
    assert own_runs() == []
    [entry] = printed("runs", "deleted")
    assert (entry["run"], entry["days_left"]) == (run, 30.0)
    printed("runs", "restore", run)
    assert [row["run"] for row in own_runs()] == [run]
    printed("delete", run)
    assert printed("runs", "deleted", "--empty") == {"deleted_for_good": [run]}
    assert f"no deleted run '{run}'" in refused("runs", "restore", run)


def test_disk_use_is_listed_and_checkpoints_are_cleaned():
    run = make_run("lora")
    (run.folder / "checkpoint.safetensors").write_bytes(b"x" * 500)
    assert printed("runs", "disk")[0]["checkpoint"] == 500
    assert printed("runs", "clean", run.id)["freed"] == 500
    assert "no part 'scores'" in refused("runs", "clean", run.id, "--part", "scores")


def test_next_says_which_labs_show_a_run_and_what_it_compares_with():
    first, second = make_run("lora").id, make_run("spt").id
    found = printed("runs", "next", first)
    assert found["alike"] == [second]
    assert "components" in found["labs"]
    assert "attention" not in found["labs"]  # its adapter is not stored
    assert found["reason"] == "its adapter is not stored"
    assert f"compare {first} {second}" in call("runs", "next", first).stdout


def test_a_run_or_a_file_is_queued_again_with_changes(tmp_path, monkeypatch):
    from peftcore.jobs import queue

    monkeypatch.setattr(queue, "ensure_worker", lambda *_: False)
    run = make_run("lora", training={"steps": 60})
    again = printed("runs", "again", run.id, "--set", "steps=80", "--set", "rank=4")
    assert again["state"] == "queued"
    names = {each["name"] for each in again["changes"]}
    assert {"training.steps", "settings.rank"} <= names
    file = tmp_path / "spec.json"
    file.write_bytes((run.folder / "spec.json").read_bytes())
    assert printed("runs", "again", str(file), "--set", "steps=80", "--preview")["changes"]
    assert "neither the id of a run nor a file" in refused("runs", "again", "nothing.json")
    assert "spt" in [row["protocol"] for row in printed("runs", "protocols")]
    assert printed("runs", "protocols", "spt")[0]["settings"]["length"] == 50
