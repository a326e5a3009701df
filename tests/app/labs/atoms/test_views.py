"""Map, sparsity, pruning and density of atoms, shown."""

import pytest
from support.atoms_page import FACTS, SETTINGS, atoms_run, mapped, pruned
from support.pages import charts, html, open_page, sound, words
from support.runs import make_run

from app.labs.atoms import views as page_words
from app.labs.atoms.selection import AtomsSubject
from peftcore.analysis import sparsity
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest


@pytest.mark.parametrize("view", ["Map", "Sparsity", "Pruning", "One atom", "Two runs", "Density"])
def test_every_view_opens_before_anything_was_measured(view):
    atoms_run()
    open_page("atoms", view)


def test_the_button_begins_what_is_shown(alone):
    run = atoms_run()
    ask = AtomsRequest.make({"kind": "map", "runs": [run.id]})
    page = open_page("atoms")
    page.button(key=f"atoms.start.{ask.id}").click().run()
    sound(page)
    assert alone == [ask]


def test_the_map_draws_one_seed_and_its_numbers():
    study = mapped(atoms_run())
    page = open_page("atoms")
    (chart,) = charts(page)
    entry = request.coefficient_entries(study)[0]
    assert chart["layout"]["yaxis"]["ticktext"][1] == "Decoder 1, cross query"
    assert "seed 0, n = 48" in chart["layout"]["title"]["text"]
    assert "Exactly zero: 50.0 % of all" in words(page)
    assert page.header[0].value.startswith("50% of all coefficients are exactly zero")
    table = page.dataframe[-1].value
    assert table["effective"].tolist()[0] == pytest.approx(request.entry_sparsity(entry).effective)
    page.selectbox(key="atoms.seed").set_value("1").run()
    assert "seed 1" in charts(sound(page))[0]["layout"]["title"]["text"]


def test_sparsity_shows_inequality_usage_and_the_course():
    study = mapped(atoms_run())
    page = open_page("atoms", "Sparsity")
    lorenz, usage, course = charts(page)
    weight = request.entry_importance(request.coefficient_entries(study)[1]).ravel()
    assert lorenz["data"][2]["name"] == f"Seed 1, Gini {sparsity.gini(weight):.2f}"
    assert "2 never" in usage["layout"]["title"]["text"]
    assert "Exact zeros" in course["layout"]["title"]["text"]
    page.selectbox(key="atoms.evolution").set_value("effective").run()
    assert "Effective number" in charts(sound(page))[2]["layout"]["title"]["text"]


def test_the_slider_moves_through_curves_and_answers():
    mapped(run := atoms_run())
    pruned(run)
    page = open_page("atoms", "Pruning")
    score, _ = charts(page)
    assert [line["name"] for line in score["data"] if "name" in line] == [
        "By importance",
        "By cost of removal",
        "Random",
    ]
    assert "2 seeds, n = 24 test examples" in score["layout"]["title"]["text"]
    page.select_slider(key="atoms.kept").set_value(2).run()
    assert "with 2 atoms: by importance 0.895" in words(sound(page))
    assert "about other seeds on these examples, margin 2 points, Holm over" in words(page)
    assert "kept" in html(page)
    assert "<b>Ann" not in html(page)


def test_a_stopped_measurement_can_be_gone_on_with():
    study = pruned(atoms_run(), state="cancelled")
    page = open_page("atoms", "Pruning")
    assert "5 of 9 measured" in words(page)
    assert page.button(key=f"atoms.start.{study.request.id}").label == "Go on with pruning"
    assert len(charts(page)) == 2


def test_density_is_drawn_for_every_run_of_a_path():
    run, other = atoms_run(), make_run("lora")
    study = AtomsJob.create(
        AtomsRequest.make({"kind": "path", "runs": ["0" * 12], "values": [0, 1]})
    )
    placed = {name: SETTINGS[name] for name in ("components", "stacks")}
    study.write_plan(FACTS | placed, [])  # made around another run, which differs in sparsity
    study.append_value({"what": "run", "value": None, "run": other.id, "scores": [0.8, 0.9]})
    for value, zero in ((0.0, 0.0), (1.0, 0.6)):
        extra = {"value": value, "run": run.id, "scores": [0.7, 0.8], "zeros": [zero, zero]}
        study.append_value({"what": "run", "effective": [3.0, 4.0]} | extra)
    study.write_status(state="done")
    (chart,) = charts(open_page("atoms", "Density"))
    (line,) = chart["data"]
    assert line["text"] == ["1", "0"]
    assert "LoRA of equal rank 0.850" in chart["layout"]["annotations"][0]["text"]
    page = open_page("atoms", "Density")
    assert "No run of this path comes within 0.02 of LoRA's mean, 0.850" in words(page)
    page.selectbox(key="atoms.begins").set_value(page_words.START_TITLES[1]).run()
    asked = AtomsRequest.make({"kind": "path", "runs": [run.id], "warm": True})
    assert page.button(key=f"atoms.start.{asked.id}").label == "Measure the path"


def test_where_there_are_many_atoms_a_sample_of_them_is_offered(monkeypatch):
    run = atoms_run()
    monkeypatch.setattr(AtomsSubject, "atoms", 960)
    page = open_page("atoms", "Pruning")
    subject = AtomsSubject(run, 0)
    few = subject.job_request("prune", **page_words.SAMPLED_PRUNING)
    assert page.button(key=f"atoms.start.{few.id}")
    page.segmented_control(key="atoms.tried").set_value(False).run()
    assert page.button(key=f"atoms.start.{subject.job_request('prune').id}")
    assert "It takes" in words(page)
