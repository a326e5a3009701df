"""Flatness, validation and numbers of vertices, shown."""

from support.landscape_page import FACTS, simplex_run
from support.pages import charts, open_page, show_view

from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest


def test_flatness_is_shown_with_intervals_and_against_the_score():
    runs = [simplex_run(), simplex_run(training={"steps": 300})]
    for nth, run in enumerate(runs):
        found = LandscapeJob.create_own(
            LandscapeRequest.make({"kind": "flatness", "runs": [run.id]})
        )
        found.write_plan(FACTS | {"seeds": [0, 1], "radius": 0.5}, [])
        for seed in (0, 1):
            found.append_value({"measure": "rise", "seed": seed, "value": nth + seed / 10})
        found.write_status(state="done")
    page = show_view(open_page("landscape"), "landscape", "Flatness")
    assert "Mean rise" in page.header[0].value
    table = page.dataframe[0].value
    assert table["Measure"].tolist() == ["Mean rise (nats)"]
    assert table["Seeds"].tolist() == [2]
    (figure,) = charts(page)
    assert "2 runs" in figure["layout"]["title"]["text"]
    assert "rank correlation" in figure["layout"]["title"]["text"]


def test_validation_shows_the_distribution_and_the_rank_agreement():
    run = simplex_run()
    ask = LandscapeRequest.make({"kind": "validation", "runs": [run.id], "copies": 60})
    found = LandscapeJob.create_own(ask)
    found.write_plan(FACTS | {"seeds": [0, 1]}, [])
    for seed in (0, 1):
        for look in ("points", "copies"):
            values = [1 + n / 100 for n in range(8)]
            found.append_value(
                {"look": look, "step": None, "seed": seed, "values": values, "centroid": 1.0}
            )
        for step in (0, 25, 50, 75):
            loss = 2 - step / 100
            found.append_value(
                {"look": "step", "step": step, "seed": seed, "stochastic": loss, "centroid": loss}
                | {"test_loss": loss, "test_score": step / 100}
            )
    found.write_status(state="done")
    page = show_view(open_page("landscape"), "landscape", "Validation")
    assert len(charts(page)) == 3
    table = next(d.value for d in page.dataframe if "Kendall" in d.value)
    assert table["Kendall"].tolist() == [1.0] * 4


def test_vertices_are_trained_as_one_job(monkeypatch):
    run = simplex_run()
    submitted = []

    class Queue:
        def submit(self, spec):
            submitted.append(spec)
            return type("Job", (), {"live": False})()

    monkeypatch.setattr("app.state.cache.job_queue", Queue)
    page = show_view(open_page("landscape"), "landscape", "Vertices")
    page.button(key="landscape.ablate").click().run()
    counts = [spec.population.vertices for spec in submitted]
    assert counts in ([1, 2, 4, 6], [1, 2, 3, 4, 6])
    assert all(spec.method == run.spec.method for spec in submitted)
