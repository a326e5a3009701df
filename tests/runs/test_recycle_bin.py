"""Deleted runs can be brought back for 30 days."""

import pytest
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.runs import recycle_bin
from peftcore.runs.store import RunStore


def test_a_deleted_run_comes_back_with_all_its_results():
    store, run = RunStore(), make_run("lora")
    scores = run.scores()
    store.delete(run.id)
    assert run.id not in [each.id for each in store.all()]
    [entry] = store.deleted()
    assert (entry.id, round(entry.days_left)) == (run.id, 30)
    assert store.restore(run.id).scores() == scores
    assert store.deleted() == []


def test_the_latest_of_two_comes_back_and_a_new_run_is_not_overwritten():
    store, run = RunStore(), make_run("lora")
    store.delete(run.id)
    again = make_run("lora")
    with pytest.raises(BadInput, match="trained again"):
        store.restore(run.id)
    again.append_log("second")
    store.delete(run.id)
    assert "second" in store.restore(run.id).log()
    with pytest.raises(BadInput, match="no deleted run 'x'"):
        store.restore("x")


def test_a_run_that_waited_comes_back_cancelled():
    store, run = RunStore(), make_run("lora")
    run.reset()
    store.delete(run.id)
    assert store.restore(run.id).status().state == "cancelled"


def test_after_thirty_days_it_is_gone_for_good():
    store, old, new = RunStore(), make_run("lora"), make_run("spt")
    store.delete(old.id)
    [entry] = store.deleted()
    long_ago = int((entry.deleted - 31 * 86400) * 1000)
    entry.folder.rename(entry.folder.with_name(f"{old.id}-{long_ago}"))
    store.delete(new.id)
    assert [each.id for each in store.deleted()] == [new.id]
    assert recycle_bin.empty_bin(store.folder, 0) == [new.id]
