"""The Atoms page, run in full without a browser; measuring is stood in for."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.pages import charts, html, open_page, sound, words
from support.runs import make_run

from app.labs.atoms import selection
from app.labs.atoms import views as page_words
from peftcore import paths
from peftcore.analysis import sparsity
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest

SITES = [
    f"{component}:decoder.block.{layer}.layer.{part}.q"
    for layer in (0, 1)
    for part, component in ((0, "attention.query"), (1, "cross.query"))
]
SETTINGS = {"atoms": 2, "components": ["attention.query", "cross.query"], "stacks": ["decoder"]}
SETTINGS |= {"threshold": 1.0, "relative": True, "rounds": 1, "top_k": 0, "l1": 0.0}
FACTS = {
    "sites": SITES,
    "atoms": 2,
    "seeds": [0, 1],
    "read": 48,
    "n": 24,
    "split": "test",
    "metric": "accuracy",
    "task": "miniworld_nli",
    "base": "tiny-t5",
    "fingerprint": "f0",
    "data_hash": "00ff00ff",
    "arithmetic": "fp32",
    "adapters": ["0" * 12],
    "shown": [["Is <b>Ann</b> in?", "yes"]],
}
KS = [1, 2, 4]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, nothing shipped, no process started; the asks that were begun."""
    begun = []
    monkeypatch.setattr("app.state.wait_for_imports.ready_or_wait", lambda name: True)
    monkeypatch.setattr(AtomsJob, "assets", lambda: tmp_path)
    monkeypatch.setattr(AtomsJob, "start", begun.append)
    return begun


def atoms_run(**more):
    run = make_run("atoms", settings=SETTINGS, population={"seeds": 2}, **more)
    (run.folder / "adapter.safetensors").touch()
    return run


def codes(seed, step, rng):
    usage = rng.uniform(size=(4, 2)).round(3).tolist()
    usage[0][0] = 0.0
    entry = {"what": "codes", "step": step, "seed": seed, "zeros": 0.5, "l0": 4.0, "hoyer": 0.3}
    made = {"size": rng.uniform(size=(4, 2)).tolist(), "norm": rng.uniform(size=(4, 2)).tolist()}
    return entry | {"usage": usage, "site_zeros": [0.5] * 4} | made


def mapped(run):
    study = AtomsJob.create(AtomsRequest.make({"kind": "map", "runs": [run.id]}))
    study.write_plan(FACTS, [])
    rng = np.random.default_rng(0)
    for step in (None, 0, 25):
        for seed in (0, 1):
            study.append_value(codes(seed, step, rng))
    study.write_status(state="done", done=6, of=6)
    return study


def pruned(run, state="done"):
    study = AtomsJob.create(AtomsRequest.make({"kind": "prune", "runs": [run.id]}))
    study.write_plan(FACTS, [])
    for seed in (0, 1):
        values = {"what": "weights", "seed": seed, "values": [0.25] * 8}
        study.append_value(values | {"order": "ablation"})
        for what, top in (("loss", 1.0), ("score", 0.9)):
            where = {"what": what, "seed": seed}
            ends = {"order": "ends", "draw": 0, "k": [0, 8], "values": [0.1, top]}
            extra = {"answers": [["base words"], ["all words"]]} if what == "score" else {}
            study.append_value(where | ends | extra)
            for order, draw in (("importance", 0), ("ablation", 0), ("random", 0), ("random", 1)):
                extra = {"answers": [[f"kept {k}"] for k in KS]} if order == "importance" else {}
                lost = 0.2 * (order == "random")
                values = [top - lost - 0.01 * seed] * 3
                kept = {"order": order, "draw": draw, "k": KS, "values": values}
                study.append_value(where | kept | (extra if what == "score" else {}))
    study.write_status(state=state, done=5, of=9)
    return study


def test_without_runs_it_says_what_to_do_next():
    make_run("lora")
    assert "No sparse atoms have been trained yet" in words(open_page("atoms"))


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
    run = atoms_run()
    study = mapped(run)
    page = open_page("atoms")
    (chart,) = charts(page)
    entry = request.coefficient_entries(study)[0]
    assert chart["layout"]["yaxis"]["ticktext"][1] == "Decoder 1, cross query"
    assert "seed 0, n = 48" in chart["layout"]["title"]["text"]
    assert "Exactly zero: 50.0 % of all" in words(page)
    table = page.dataframe[-1].value
    assert table["effective"].tolist()[0] == pytest.approx(request.entry_sparsity(entry).effective)
    page.selectbox(key=f"atoms.seed.{run.id}").set_value(1).run()
    assert "seed 1" in charts(sound(page))[0]["layout"]["title"]["text"]


def test_an_atom_that_was_clicked_is_taken_to_the_other_views():
    run = atoms_run()
    mapped(run)
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.session_state[selection.CHOSEN_KEY] = (run.id, 5)
    page.switch_page(str(paths.ROOT / "pages" / "atoms.py")).run()
    assert "Chosen: D2.q[1] at Decoder 2, self query" in words(sound(page))
    page.segmented_control(key="atoms.view").set_value("One atom").run()
    assert page.selectbox(key=f"atoms.atom.{run.id}.5").value == 5


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
    study = pruned(run)
    page = open_page("atoms", "Pruning")
    score, _ = charts(page)
    assert [line["name"] for line in score["data"] if "name" in line] == [
        "By importance",
        "By cost of removal",
        "Random",
    ]
    assert "2 seeds, n = 24 test examples" in score["layout"]["title"]["text"]
    page.select_slider(key=f"atoms.kept.{study.id}.5").set_value(2).run()
    assert "with 2 atoms: by importance 0.895" in words(sound(page))
    assert "kept" in html(page)
    assert "<b>Ann" not in html(page)


def test_a_stopped_measurement_can_be_gone_on_with():
    study = pruned(atoms_run(), state="cancelled")
    page = open_page("atoms", "Pruning")
    assert "5 of 9 measured" in words(page)
    assert page.button(key=f"atoms.start.{study.request.id}").label == "Go on with pruning"
    assert len(charts(page)) == 2


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
    page.slider(key="atoms.gain").set_value(2.0).run()
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
        (other.folder / "adapter.safetensors").touch()
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
    page.segmented_control(key="atoms.begins").set_value(page_words.START_TITLES[1]).run()
    asked = AtomsRequest.make({"kind": "path", "runs": [run.id], "warm": True})
    assert page.button(key=f"atoms.start.{asked.id}").label == "Measure the path"


def test_coefficients_of_a_text_are_drawn_as_typed(monkeypatch):
    from peftcore.labs.atoms.interventions import AnswerCodes, SiteCodes

    run = atoms_run()
    stored = np.array([[0.0, 0.5], [0.25, -1.0]])
    shown_text = AnswerCodes("yes", tuple(SiteCodes(site, ("<s>", "a"), stored) for site in SITES))
    monkeypatch.setattr(selection, "text_coefficients", lambda subject, text: shown_text)
    page = open_page("atoms", "Text")
    (chart,) = charts(page)
    assert chart["layout"]["xaxis"]["ticktext"][0] == "&lt;s&gt;"
    assert chart["data"][0]["z"] is not None
    assert "Answer" in words(page)
    page.selectbox(key=f"atoms.site.{run.id}.0").set_value(3).run()
    extra = charts(sound(page))[0]["layout"]["title"]["text"]
    assert "Decoder 2, cross query" in extra.replace("<br>", " ")


def test_an_address_of_another_run_gets_a_sentence():
    atoms_run()
    lora = make_run("lora")
    assert "finished runs of sparse atoms have" in words(open_page("atoms", run=lora.id))
