import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import ANSWER_COLUMNS, HISTORY_COLUMNS, RunStore
from peftcore.system import atomic_files, processes
from peftcore.system.job_folder import HEARTBEAT_TIMEOUT_SECONDS


def spec(**changes):
    named = {"base": "b", "task": "t", "method": "m", "population": Members(seeds=2)}
    return RunSpec(**named | changes)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs", tmp_path / "demos")


@pytest.fixture
def run(store):
    return store.create(spec())


@pytest.fixture
def demo(store):
    """A finished run that ships with the project."""
    shipped = RunStore(store.demo_folder).create(spec(method="shipped"))
    shipped.write_status(state="done")
    return store.open(shipped.id)


def gone():
    """The identity of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = processes.identify(process.pid)
    process.communicate(b"\n")
    return identity


def test_equal_specs_are_one_run(store):
    first, again = store.create(spec()), store.create(spec())
    assert first == again
    assert len(store.all()) == 1


def test_another_learning_rate_is_another_run(store):
    store.create(spec())
    store.create(spec(training=Training(learning_rate=0.5)))
    assert len(store.all()) == 2


def test_a_spec_survives_the_way_to_disk_and_back(store):
    full = spec(settings={"rank": 4}, evaluation=Evaluation(split="validation", limit=3))
    assert store.open(store.create(full).id).spec == full


def test_newest_run_comes_first_and_demo_runs_last(store, demo):
    old, new = store.create(spec()), store.create(spec(task="other"))
    old.write_status(started=1.0)
    new.write_status(started=2.0)
    assert [run.id for run in store.all()] == [new.id, old.id, demo.id]
    assert [run.id for run in store.all(include_demos=False)] == [new.id, old.id]


def test_a_fresh_run_waits(run):
    status = run.status()
    assert (status.state, status.step, status.steps, status.busy) == (
        "queued",
        0,
        run.spec.training.steps,
        False,
    )


def test_a_run_trained_by_this_process_is_training(run):
    run.write_status(state="running", step=3)
    assert (run.status().state, run.status().step) == ("running", 3)


def test_a_change_of_state_drops_the_old_message(run):
    run.write_status(state="running", message="Loading")
    assert run.write_status(done=1).message == "Loading"
    assert run.write_status(state="done").message == ""


def test_an_unknown_state_is_refused(run):
    with pytest.raises(ValueError, match="no state 'sleeping'"):
        run.write_status(state="sleeping")


@pytest.mark.parametrize("state", ["training", "answering", "queued"])
def test_a_run_whose_process_has_ended_is_lost(run, state):
    run.write_status(state=state, process=asdict(gone()))
    assert run.status().state == "lost"
    assert run.status().resumable


def test_a_recycled_process_number_does_not_keep_a_run_alive(run):
    mine = processes.current_process()
    run.write_status(state="running", process=asdict(replace(mine, started=mine.started - 60)))
    assert run.status().state == "lost"


def test_a_process_with_another_token_does_not_keep_a_run_alive(run):
    run.write_status(
        state="running", process=asdict(replace(processes.current_process(), token="x"))
    )
    assert run.status().state == "lost"


def test_a_silent_run_is_lost_until_it_beats_again(run):
    run.write_status(state="running")
    old = time.time() - HEARTBEAT_TIMEOUT_SECONDS - 10
    os.utime(run.folder / "status.json", (old, old))
    assert run.status().state == "lost"
    run.heartbeat()
    assert run.status().state == "running"


def test_a_process_of_another_machine_lives_as_long_as_it_beats(run):
    run.write_status(state="running", process=asdict(replace(gone(), host="elsewhere")))
    assert run.status().state == "running"


def test_a_claimed_run_is_busy_before_its_first_step(run):
    run.claim()
    assert (run.status().state, run.status().busy) == ("queued", True)


def test_a_finished_run_needs_no_process(run):
    run.write_status(state="running")
    run.write_status(state="done")
    assert (run.status().state, run.status().process) == ("done", None)


def test_a_torn_status_reads_as_waiting(run):
    (run.folder / "status.json").write_text('{"state": "trai')
    assert run.status().state == "queued"


def test_history_keeps_the_last_word_on_a_step(run):
    rows = [{"step": 1, "seed": 0, "train_loss": 2.0}, {"step": 1, "seed": 1, "train_loss": 3.0}]
    run.append_history(rows)
    run.append_history([{"step": 1, "seed": 0, "train_loss": 1.0}])  # resumed from before step 1
    assert run.history()["train_loss"].to_list() == [1.0, 3.0]
    assert list(run.history().columns) == HISTORY_COLUMNS


def test_history_goes_on_after_a_torn_line(run):
    run.append_history([{"step": 1, "seed": 0}])
    with (run.folder / "history.jsonl").open("a") as file:
        file.write('{"step": 2, "se')
    run.append_history([{"step": 3, "seed": 0}])
    assert run.history()["step"].to_list() == [1, 3]


@given(st.integers(0, 200))
def test_history_cut_anywhere_reads_as_its_whole_lines(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "lines"
    rows = [{"step": step, "seed": 0} for step in range(8)]
    text = "".join(f"{json.dumps(row)}\n" for row in rows).encode()[:cut]
    path.write_bytes(text)
    whole = len((text + b"\n").splitlines()) if text.endswith(b"}") else text.count(b"\n")
    assert atomic_files.read_json_lines(path) == rows[:whole]


def test_a_run_without_files_has_empty_results(run):
    assert run.history().empty
    assert list(run.history().columns) == HISTORY_COLUMNS
    assert list(run.answers().columns) == ANSWER_COLUMNS
    assert (run.scores(), run.manifest(), run.log()) == ({}, {}, "")


def test_answers_come_back_as_they_were(run):
    table = pd.DataFrame({name: ["x", None] for name in ANSWER_COLUMNS})
    table = table.assign(seed=[0, 1], references=[["a", "b"], []], correct=[True, False])
    run.write_answers(table)
    back = run.answers()
    assert back["references"].to_list() == [["a", "b"], []]
    assert back["seed"].to_list() == [0, 1]
    assert back["correct"].to_list() == [True, False]
    of_one = run.answers(("seed", "references"), seed=1)
    assert of_one.to_dict("list") == {"seed": [1], "references": [[]]}
    assert run.answers(seed=2).empty


def test_a_score_that_is_no_number_stays_none(run):
    run.write_scores({"f1": [0.25, math.nan]})
    assert json.loads((run.folder / "scores.json").read_text()) == {"f1": [0.25, None]}
    first, second = run.scores()["f1"]
    assert first == 0.25
    assert math.isnan(second)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(run, monkeypatch):
    run.write_manifest({"data_hash": "old"})
    before = sorted(run.folder.iterdir())

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        run.write_manifest({"data_hash": "new"})
    assert run.manifest() == {"data_hash": "old"}
    assert sorted(run.folder.iterdir()) == before


def test_two_cannot_hold_one_run(run):
    with run.lock(), pytest.raises(BadInput, match="another process"), run.lock():
        pass
    with run.lock():
        pass


def test_clearing_keeps_the_log_and_forgets_the_results(run):
    run.write_scores({"f1": [1.0]})
    run.append_log("before")
    run.write_status(state="done", step=300)
    run.reset()
    assert (run.scores(), run.status().step, run.status().state) == ({}, 0, "queued")
    assert "before" in run.log()


@pytest.mark.parametrize("name", ["../x", "..", "", "ABCDEFABCDEF", "a" * 11, "a" * 12 + "\n"])
def test_only_an_id_becomes_a_path(store, name):
    with pytest.raises(BadInput, match="no run"):
        store.open(name)


def test_a_link_out_of_the_folder_is_refused(store, tmp_path):
    inside = store.create(spec())
    outside = inside.folder.rename(tmp_path / inside.id)
    inside.folder.symlink_to(outside)
    assert store.all() == []
    with pytest.raises(BadInput, match="leads out"):
        store.open(inside.id)


def test_a_mistyped_id_gets_close_ones(store, run):
    with pytest.raises(BadInput, match=f"did you mean {run.id}"):
        store.open(f"{run.id[:-1]}x")


def test_a_torn_spec_is_left_out_and_written_anew(store, run):
    (run.folder / "spec.json").write_text('{"base": "b"')
    assert store.all() == []
    assert store.create(spec()).spec == spec()
    assert len(store.all()) == 1


def test_a_deleted_run_is_gone_with_its_folder(store, run):
    store.delete(run.id)
    assert store.all() == []
    assert list(store.folder.iterdir()) == []


def test_a_run_at_work_is_not_deleted(store, run):
    run.write_status(state="running")
    with pytest.raises(BadInput, match="is running; cancel it"):
        store.delete(run.id)
    assert run.folder.is_dir()


def test_demo_runs_are_neither_deleted_nor_changed(store, demo):
    with pytest.raises(BadInput, match="ships with the project"):
        store.delete(demo.id)
    for change in (demo.reset, demo.claim, lambda: demo.append_log("x")):
        with pytest.raises(BadInput, match="ships with the project"):
            change()
    assert demo.status().state == "done"


def test_the_spec_of_a_demo_run_opens_the_demo_run(store, demo):
    assert store.create(demo.spec) == demo
    own = store.create(demo.spec, include_demos=False)
    assert not own.demo
    assert not store.open(demo.id).demo  # one's own run hides it


def test_the_table_has_a_row_for_each_seed(store, run):
    run.write_scores({"accuracy": [0.5, 1.0]})
    run.write_status(state="done", trainable=10, seconds=2.0)
    table = store.table()
    assert table["seed"].to_list() == [0, 1]
    assert table["accuracy"].to_list() == [0.5, 1.0]
    row = table.iloc[0]
    assert (row["run"], row["method"], row["trainable"], row["state"]) == (run.id, "m", 10, "done")
    assert (row["shots"], row["steps"], row["vertices"], row["demo"]) == (48, 200, 1, False)


def test_the_table_follows_the_files(store, run):
    run.write_status(state="running")
    assert set(store.table()["state"]) == {"running"}
    run.write_status(state="running", process=asdict(gone()))
    assert set(store.table()["state"]) == {"lost"}
    run.write_scores({"accuracy": [0.5, 1.0]})
    assert store.table()["accuracy"].mean() == 0.75


def test_the_empty_table_has_its_columns(store):
    assert {"run", "seed", "method", "state"} <= set(store.table().columns)


def test_reading_runs_needs_no_torch():
    lines = "import sys, peftcore.runs.store, peftcore.jobs.queue; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], cwd=paths.ROOT, capture_output=True)
    assert done.stdout.strip() == b"False"


def test_examples_are_read_once_with_their_texts(store):
    from support.runs import make_run

    run = make_run("lora")
    asked = run.asked()
    every = run.answers().drop_duplicates("example", ignore_index=True)
    pd.testing.assert_frame_equal(asked, every[list(asked.columns)])
    assert store.create(spec(method="none")).asked().empty
