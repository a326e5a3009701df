"""The Landscape page, run in full without a browser; measuring is stood in for."""

import json

import numpy as np
import pytest
from support.pages import charts, open_page, show_view, sound, words
from support.runs import make_run

from app.labs.landscape import point_panel
from peftcore.analysis import simplex
from peftcore.errors import BadInput
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest

SEEDS = {"seeds": 2, "vertices": 3}
FACTS = {
    "n": 24,
    "split": "dev",
    "seed": 0,
    "data_hash": "00ff00ff",
    "arithmetic": "fp32",
    "metric": "accuracy",
    "base": "tiny-t5",
    "fingerprint": "f0",
    "task": "miniworld_nli",
    "adapters": ["0" * 12],
    "vertices": 3,
}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, no shipped landscapes, no process started; the asks that were begun."""
    begun = []
    monkeypatch.setattr(LandscapeJob, "assets", lambda: tmp_path)
    monkeypatch.setattr(LandscapeJob, "start", begun.append)
    return begun


def simplex_run(**more):
    run = make_run("prefix_tuning", population=SEEDS, **more)
    (run.folder / "adapter.safetensors").touch()
    return run


def measured(ask, known=None):
    """A landscape with made-up losses, of all points or the first `known`."""
    landscape = LandscapeJob.create_own(ask)
    grid = simplex.triangle_lattice(ask.steps, ask.beyond)
    at = simplex.triangle_coords(grid)
    rows = [
        {"line": "", "t": None, "x": x, "y": y, "mark": "", "weights": list(w)}
        for (x, y), w in zip(at, grid, strict=True)
    ]
    for k in range(3):
        here = int(np.flatnonzero(np.abs(grid - np.eye(3)[k]).max(1) < 1e-9)[0])
        rows[here]["mark"] = f"vertex {k}"
    landscape.write_plan(FACTS | {"corners": ["vertex 0", "vertex 1", "vertex 2"]}, rows)
    chosen = list(range(len(rows)))[:known]
    losses = [float((at[i] ** 2).sum()) for i in chosen]
    landscape.append_value({"what": "loss", "at": chosen, "values": losses})
    state = "done" if known is None else "cancelled"
    landscape.write_status(state=state, done=len(chosen), of=len(rows))
    return landscape


def test_without_runs_it_says_what_to_do_next():
    assert "No adapter has been trained yet" in words(open_page("landscape"))


@pytest.mark.parametrize(
    "name", ["Loss surface", "Cuts", "Between two", "Flatness", "Validation", "Vertices"]
)
@pytest.mark.parametrize("simplex_", [True, False])
def test_every_view_opens_before_anything_was_measured(name, simplex_):
    if simplex_:
        simplex_run()
    else:
        (make_run("lora").folder / "adapter.safetensors").touch()
    show_view(open_page("landscape"), "landscape", name)


def test_the_button_begins_what_is_shown(alone):
    run = simplex_run()
    page = open_page("landscape")
    ask = LandscapeRequest.make({"kind": "face", "runs": [run.id]})
    page.button(key=f"landscapes.start.{ask.id}").click().run()
    sound(page)
    assert alone == [ask]


def test_a_measured_face_is_drawn_with_its_facts():
    run = simplex_run()
    measured(LandscapeRequest.make({"kind": "face", "runs": [run.id]}))
    page = open_page("landscape")
    (figure,) = charts(page)
    assert "n = 24 examples" in figure["layout"]["title"]["text"]
    assert "contour" in {trace["type"] for trace in figure["data"]}
    assert "Click a point" in words(page)
    page.segmented_control(key="landscape.shape").set_value("3D surface").run()
    assert not charts(sound(page))
    surface = json.loads(page.get("bidi_component")[0].proto.json)
    assert "n = 24 examples" in surface["facts"]
    assert len(surface["rows"]) == 190


def test_a_stopped_face_is_drawn_and_can_be_gone_on_with():
    run = simplex_run()
    measured(LandscapeRequest.make({"kind": "face", "runs": [run.id]}), known=50)
    page = open_page("landscape")
    assert "50 of 190 measured" in words(page)
    assert any(button.label.startswith("Go on") for button in page.button)
    assert len(charts(page)) == 1


def test_a_clicked_point_can_be_asked(monkeypatch):
    run = simplex_run()
    found = measured(LandscapeRequest.make({"kind": "face", "runs": [run.id]}))
    asked = []
    monkeypatch.setattr("app.state.wait_for_imports.ready_or_wait", lambda name: True)
    monkeypatch.setattr(
        "app.labs.landscape.point_panel.point_answer",
        lambda *given: asked.append(given) or "yes <b>because</b>",
    )
    page = open_page("landscape")
    page.session_state[point_panel.CHOSEN_KEY] = (found.id, 17)
    page.run()
    weights = tuple(found.table()["weights"][17])
    page.button(key="landscape.ask").click().run()
    sound(page)
    assert [(each[0].request, each[1]) for each in asked] == [(found.request, weights)]
    assert any(r"\<b\>because" in text.value for text in page.markdown)


def test_with_more_vertices_faces_are_offered():
    run = make_run("prefix_tuning", population={"seeds": 1, "vertices": 4})
    (run.folder / "adapter.safetensors").touch()
    scan = LandscapeJob.create_own(LandscapeRequest.make({"kind": "scan", "runs": [run.id]}))
    names = [("vertex", str(k)) for k in range(4)]
    names += [("face", " ".join(face)) for face in simplex.faces(4)]
    rows = [
        {"line": line, "t": None, "x": None, "y": None, "mark": mark, "weights": [0.25] * 4}
        for line, mark in names
    ]
    scan.write_plan(FACTS, rows)
    losses = [1.0, 1.0, 1.0, 1.0, 0.9, 0.5, 3.0, 0.8]
    scan.append_value({"what": "loss", "at": list(range(8)), "values": losses})
    scan.write_status(state="done")
    page = open_page("landscape")
    page.button(key="landscape.offer.best").click().run()
    sound(page)
    shown = [page.selectbox(key=f"landscape.face.4.{nth}").value for nth in range(3)]
    assert shown == ["0", "1", "3"]
    assert page.button(key="landscape.offer.worst").label == "Worst: 0, 2, 3"


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


def test_an_unknown_run_in_the_address_is_a_sentence():
    simplex_run()
    page = open_page("landscape", landscape__run="0" * 12)
    assert "No run" in words(page)


def test_a_run_without_a_plane_says_so():
    from peftcore.labs.landscape.request import specs_by_vertices

    with pytest.raises(BadInput, match="vertices"):
        specs_by_vertices(simplex_run().spec, [99])
