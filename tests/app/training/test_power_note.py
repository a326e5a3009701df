"""Power before the run, on the Train page."""

import pytest
from support.pages import open_page, words
from support.runs import make_run

from app.training import power_note
from peftcore import tasks
from peftcore.analysis import power


def test_without_earlier_runs_it_names_what_is_assumed(no_demos):
    shown = words(open_page("train"))
    assert "can be seen (about four times in five)" in shown
    assert "assumed, as there are no two earlier runs on this base and task" in shown


def test_earlier_runs_on_the_base_and_task_are_what_it_rests_on():
    runs = [make_run(method) for method in ("lora", "spt", "prefix_tuning")]
    found = power_note._earlier_components(runs, "accuracy")
    assert len(found) == 3
    mean = power.mean_components(found)
    assert mean.rest == pytest.approx(sum(each.rest for each in found) / 3)
    assert power_note._earlier_components(runs[:1], "accuracy") == []


def test_scores_of_texts_are_not_guessed(monkeypatch):
    captions = []
    monkeypatch.setattr(power_note.st, "caption", captions.append)
    run = make_run("lora", "miniworld_venues")
    power_note.show_power(tasks.find_task("miniworld_venues"), run.spec, [])
    assert captions == []
