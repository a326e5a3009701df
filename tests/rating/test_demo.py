import pytest
from support.ratings import ME, counted, item, project

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import demo, simulation
from peftcore.runs.store import RunStore


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return demo.open_rating_store(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")


def test_the_first_start_has_rated_projects_of_simulated_raters(book):
    found = rating.list_projects(book, ME)
    assert {project.settings.mode for project in found} == {"single", "pairwise", "likert"}
    for shown in found:
        assert shown.demo
        assert shown.simulated
        assert not shown.open
        assert "simulated" in shown.name
        assert all(
            r.name.startswith("Simulated rater") for r in rating.list_raters(book, ME, shown.id)
        )
        counted = rating.item_table(book, ME, shown.id)
        assert set(counted[counted["kind"] == "rating"]["ratings"]) == {3}


def test_every_demo_run_has_a_human_score_that_says_it_is_simulated(book):
    runs = [run.id for run in demo.demo_runs()]
    scores = rating.human_scores(book, ME, runs)
    assert set(scores) == set(runs)
    assert all(score.simulated and score.items == 20 for score in scores.values())


def test_the_demo_is_about_runs_that_ship_and_texts_they_wrote(book):
    project = next(p for p in rating.list_projects(book, ME) if p.settings.mode == "single")
    key = rating.origin_table(book, ME, project.id)
    shown = rating.item_table(book, ME, project.id).set_index("item")
    for run in {run for run in key["run"] if run}:
        answers = RunStore().open(run).answers().set_index(["seed", "example"])
        for row in key[key["run"] == run].to_dict("records"):
            written = answers.loc[(row["seed"], shown.at[row["item"], "example"])]
            assert written["explanation"] == row["explanation"]
            assert bool(written["correct"]) == row["correct"]


@pytest.mark.parametrize("file", ["entailment", "entailment_pretrained"])
def test_the_shipped_file_is_made_again_byte_for_byte(file):
    shipped = (demo.demo_folder() / f"{file}.jsonl").read_text("utf-8")
    assert "".join(f"{line}\n" for line in demo.make_demo(file)) == shipped


def test_in_pairs_a_wrong_label_is_blamed_on_the_text_that_has_it(book):
    project = next(p for p in rating.list_projects(book, ME) if p.settings.mode == "pairwise")
    verdicts, key = (
        rating.verdict_table(book, ME, project.id),
        rating.origin_table(book, ME, project.id),
    )
    blamed = verdicts[[("inaccurate" in ticked) for ticked in verdicts["shortcomings"]]]
    lost = blamed[blamed["verdict"] != "tie"]
    assert len(lost) > 10
    places = [int((row.verdict == "left") != row.flipped) for row in lost.itertuples()]
    wrong = [
        not key[(key["item"] == item) & (key["place"] == place)]["correct"].all()
        for item, place in zip(lost["item"], places, strict=True)
    ]
    assert all(wrong)


def test_opening_again_adds_nothing(book):
    before = len(rating.list_projects(book, ME))
    assert len(rating.list_projects(demo.open_rating_store(book.url), ME)) == before


def test_the_demo_cannot_be_changed(book):
    project = rating.list_projects(book, ME)[0]
    some = rating.item_table(book, ME, project.id)["item"][0]
    for change in (
        lambda: rating.invite(book, ME, project.id, "me"),
        lambda: rating.set_project_open(book, ME, project.id, True),
        lambda: rating.adjudicate(book, ME, some, rating.Judgement(verdict="no")),
    ):
        with pytest.raises(BadInput, match="demo"):
            change()


def simulated(home, name):
    """A small project rated by the simulation, with ids that count up."""
    book = rating.RatingStore(f"sqlite:///{home / name}", lambda: 1.0, counted())
    made = project(book, [item(n) for n in range(3)])
    known = {f"sentence {n} | claim {n}": ("neutral", f"reason {n}") for n in range(3)}
    assert simulation.simulate_raters(book, ME, made.id, known, raters=2) == 6
    return book, made
