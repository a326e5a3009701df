"""Atoms of a typed text, one atom changed, and two runs together."""

import numpy as np
from support.atoms_page import FACTS, SETTINGS, SITES, atoms_run, mapped, pruned
from support.pages import charts, html, open_page, sound, words
from support.runs import make_run, write_adapter

from app.labs.atoms import selection
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest


def test_one_atom_answers_beside_all_and_none(monkeypatch):
    study = mapped(run := atoms_run())
    pruned(run)
    asked = []
    monkeypatch.setattr(
        selection,
        "answers_with_gain",
        lambda subject, *given: asked.append(given) or ["yes", "no <i>", "x"],
    )
    foremost = int(request.entry_importance(request.coefficient_entries(study)[0]).argmax())
    page = open_page("atoms", "One atom")
    assert "its removal costs +0.2500 nats" in words(page)
    page.select_slider(key="atoms.gain").set_value(2.0).run()
    assert not asked
    page.button(key="atoms.ask").click().run()
    assert asked[0][:2] == (foremost, 2.0)
    assert "the answer is another" in words(sound(page))
    assert "<i>" not in html(page)
    place, index = divmod(foremost, 2)
    assert f"{request.parse_site(SITES[place]).atom_name(index)} × 2" in html(page)


def test_two_runs_need_equal_sites(monkeypatch):
    first = atoms_run()
    make = dict(SETTINGS)
    for change in ({"stacks": ["encoder"]}, {"rounds": 2}):
        other = make_run("atoms", settings=make | change, population={"seeds": 2})
        write_adapter(other)
    page = open_page("atoms", "Two runs", run=first.id)
    assert "there is no second run like that yet" in words(page)


def test_two_runs_answer_and_are_scored(monkeypatch):
    first, second = atoms_run(), atoms_run(task="miniworld_sentiment")
    ask = AtomsRequest.make({"kind": "combine", "runs": [first.id, second.id]})
    study = AtomsJob.create(ask)
    study.write_plan(FACTS, [])
    for seed in (0, 1):
        extra = {"both": 0.5, "first": 0.6, "second": 0.1, "none": 0.0, "n": 24}
        where = {"what": "combined", "task": "miniworld_nli", "metric": "accuracy"}
        study.append_value(where | {"seed": seed} | extra)
    study.write_status(state="done")
    names = ("both, 1 and 1 times", "first alone", "second alone", "no atoms (the base)")
    monkeypatch.setattr(selection, "combined_answers", lambda *given: dict.fromkeys(names, "yes"))
    page = open_page("atoms", "Two runs", run=first.id)
    (chart,) = charts(sound(page))
    assert "2 seeds, n = 24" in chart["layout"]["title"]["text"]
    page.button(key="atoms.both").click().run()
    assert "Both, 1 and 1 times" in html(sound(page))


def test_coefficients_of_a_text_are_drawn_as_typed(monkeypatch):
    from peftcore.labs.atoms.interventions import AnswerCodes, SiteCodes

    atoms_run()
    stored = np.array([[0.0, 0.5], [0.25, -1.0]])
    codes = AnswerCodes("yes", tuple(SiteCodes(site, ("<s>", "a"), stored) for site in SITES))
    monkeypatch.setattr(selection, "text_coefficients", lambda subject, text: codes)
    page = open_page("atoms", "Text")
    (chart,) = charts(page)
    assert chart["layout"]["xaxis"]["ticktext"][0] == "&lt;s&gt;"
    assert chart["data"][0]["z"] is not None
    assert "Answer" in words(page)
    page.selectbox(key="atoms.site").set_value(3).run()
    extra = charts(sound(page))[0]["layout"]["title"]["text"]
    assert "Decoder 2, cross query" in extra.replace("<br>", " ")
