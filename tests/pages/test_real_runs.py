"""The runs that ship on a real base, on a machine with neither that base nor the data."""

import pytest
from support.pages import open_page, show_view, sound, words

from peftcore.experiments.real_runs import BASE, REAL_RUNS
from peftcore.models import catalog
from peftcore.runs.store import RunStore

RUNS = {real.title: RunStore().open(real.spec().id) for real in REAL_RUNS}
LORA, SIMPLEX = RUNS["LoRA"], RUNS["Prefix tuning, simplex of 3"]
PROMPT, ATOMS = RUNS["Scaled prompt tuning"], RUNS["Sparse atoms"]


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    """Neither the base nor the data are at hand."""
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("PEFTCORE_MODELS", raising=False)
    monkeypatch.setattr("app.state.cache.imports_ready", lambda: True)
    assert not catalog.is_at_hand(BASE)


def invites(page):
    """Whether a page leads to where a base is added."""
    return f"{BASE}" in words(page) and "can be added with one button" in words(page)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_run_shows_its_curves_and_scores(run):
    page = open_page("runs", run=run.id)
    assert page.selectbox(key="runs.run").value == run.id
    tables = [table.value for table in page.dataframe]
    [scores] = [table for table in tables if "Metric" in table]
    assert "Accuracy" in list(scores["Metric"])


def test_all_methods_compare_and_say_which_example_each_answer_belongs_to():
    page = open_page("compare", runs=",".join(run.id for run in RUNS.values()))
    assert len(page.dataframe[0].value) == len(RUNS)
    show_view(page, "compare", "Answers")


@pytest.mark.parametrize("view", ["Loss surface", "Cuts", "Between two", "Flatness", "Validation"])
def test_landscape_shows_what_ships_and_invites_to_add_the_base_for_more(view):
    page = open_page("landscape", view, **{"landscape.run": SIMPLEX.id})
    assert page.selectbox(key="landscape.run").value == SIMPLEX.id
    assert bool(page.get("plotly_chart")) == (view == "Loss surface") or invites(page)
    assert not [button for button in page.button if ".start." in str(button.key)]


@pytest.mark.parametrize(
    "view", ["Map", "Sparsity", "Text", "Pruning", "One atom", "Two runs", "Density"]
)
def test_atoms_shows_what_ships_and_invites_to_add_the_base_for_more(view):
    page = open_page("atoms", view, run=ATOMS.id)
    assert page.selectbox(key="atoms.run").value == ATOMS.id
    if view == "Text":  # no example to offer without the data
        page.segmented_control(key="atoms.source").set_value("own").run()
        page.text_area(key="atoms.text").set_value("which one?").run()
    assert bool(page.get("plotly_chart")) == (view in ("Map", "Sparsity"))
    assert invites(page) == (view in ("Text", "Pruning", "Density"))
    assert not [button for button in page.button if ".start." in str(button.key)]


@pytest.mark.parametrize(
    ("page_name", "run"), [("attention", LORA), ("limits", SIMPLEX), ("scaling", PROMPT)]
)
def test_pages_that_read_the_base_say_that_it_is_missing_and_invite_to_add_it(page_name, run):
    assert invites(open_page(page_name, run=run.id))


def test_the_playground_says_so_too():
    page = open_page("playground", runs=LORA.id)
    assert invites(sound(page))
