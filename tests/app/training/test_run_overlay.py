"""Curves of chosen runs over each other."""

from support.pages import charts, open_page, words
from support.runs import make_run


def test_chosen_runs_are_drawn_together_and_live(no_demos):
    first, second = make_run("lora"), make_run("spt")
    page = open_page("runs", runs=f"{first.id},{second.id}")
    losses = [each for each in charts(page) if "loss" in each["layout"]["title"]["text"]]
    assert len(losses) == 2
    names = {line["name"] for line in losses[0]["data"] if line.get("showlegend") is not False}
    assert len(names) == 2
    assert "2 chosen" in words(page)


def test_a_run_before_its_first_look_shows_no_empty_axes(no_demos, monkeypatch):
    from app.ui import job_panel

    monkeypatch.setattr(job_panel, "restart_missing_workers", lambda queue: 0)
    run = make_run("lora")
    run.reset()
    run.append_history([{"step": 0, "seed": 0, "dev_loss": None, "train_loss": None}])
    page = open_page("runs", run=run.id)
    assert charts(page) == []
    assert "The first values come with step 25." in words(page)
