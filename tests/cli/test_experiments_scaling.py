"""`experiment scaling`: studies of soft prompts, as JSON."""

import pytest
from support.commands import printed
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.jobs.queue import Queue


def test_a_study_lists_its_cells_and_queues_what_is_missing(runs, monkeypatch):
    from peftcore.jobs import queue

    monkeypatch.setattr(queue, "ensure_worker", lambda: False)
    result = printed("experiment", "scaling", runs["spt"].id, "variants")
    states = {cell["name"]: cell["state"] for cell in result["cells"]}
    assert states["Scale of each token"] == states["Scale fixed at one"] == "done"
    assert len(result["missing"]) == 4
    assert not Queue().jobs()
    again = printed("experiment", "scaling", runs["spt"].id, "variants", "--queue")
    assert len(again["queued"]) == len(Queue().jobs()) == 4
    assert again["missing"] == []


def test_a_transfer_study_has_a_field_for_every_pair_of_tasks(runs):
    tasks = "miniworld_nli,miniworld_sentiment"
    result = printed("experiment", "scaling", runs["spt"].id, "transfer", "--tasks", tasks)
    assert len(result["transfer"]) == 4
    here = next(f for f in result["transfer"] if f["target"] == "miniworld_nli")
    assert here["direct"] == pytest.approx(sum(runs["spt"].scores()["accuracy"]) / 2)
    assert here["gain"] is None
    done = CliRunner().invoke(app, ["experiment", "scaling", runs["spt"].id, "transfer"])
    assert done.exit_code == 2
    assert "two tasks" in done.stderr
