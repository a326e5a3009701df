"""Surfaces, cuts and curves between adapters, shown."""

import json

import pytest
from support.landscape_page import FACTS, measured, simplex_run
from support.pages import charts, open_page, show_view, sound, words
from support.runs import make_run, write_adapter

from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.analysis import simplex
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest


@pytest.mark.parametrize(
    "name", ["Loss surface", "Cuts", "Between two", "Flatness", "Validation", "Vertices"]
)
@pytest.mark.parametrize("simplex_", [True, False])
def test_every_view_opens_before_anything_was_measured(name, simplex_):
    if simplex_:
        simplex_run()
    else:
        write_adapter(make_run("lora"))
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
    assert "At the centroid" not in page.header[0].value  # which no point of this one is
    assert page.header[0].value.startswith("The loss goes from")
    page.segmented_control(key="landscape.shape").set_value("3D surface").run()
    assert not charts(sound(page))
    parts = [json.loads(found.proto.json) for found in page.get("bidi_component")]
    (surface,) = (part for part in parts if "facts" in part)
    assert "n = 24 examples" in surface["facts"]
    assert len(surface["rows"]) == 190


def test_a_large_base_begins_with_a_coarse_grid_and_what_is_measured_comes_first(alone):
    run = simplex_run()
    fine = LandscapeRequest.make({"kind": "face", "runs": [run.id]})
    coarse = LandscapeRequest.make({"kind": "face", "runs": [run.id], "steps": 7})
    run.write_manifest({"base": {"fingerprint": "f0", "parameters": LARGE_BASE}})
    page = open_page("landscape")
    assert page.button(key=f"landscapes.start.{coarse.id}")
    grid = page.segmented_control(key="landscape.grid")
    assert [title.split(", ")[1] for title in grid.options] == ["66 points", "190 points"]
    page = grid.set_value(15).run()
    page.button(key=f"landscapes.start.{fine.id}").click().run()
    assert alone == [fine]
    measured(fine)
    assert len(charts(open_page("landscape"))) == 1


def test_a_stopped_face_is_drawn_and_can_be_gone_on_with():
    run = simplex_run()
    measured(LandscapeRequest.make({"kind": "face", "runs": [run.id]}), known=50)
    page = open_page("landscape")
    assert "50 of 190 measured" in words(page)
    assert any(button.label.startswith("Go on") for button in page.button)
    assert len(charts(page)) == 1


def test_with_more_vertices_faces_are_offered():
    run = make_run("prefix_tuning", population={"seeds": 1, "vertices": 4})
    write_adapter(run)
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
    shown = [page.selectbox(key=f"landscape.corner{nth}").value for nth in (1, 2, 3)]
    assert shown == ["0", "1", "3"]
    assert page.button(key="landscape.offer.worst").label == "Worst: 0, 2, 3"
