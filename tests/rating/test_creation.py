import pytest
from support.ratings import ME, project, rate_next, rater
from support.runs import make_run, make_runs

from peftcore import rating
from peftcore.errors import BadInput


@pytest.fixture
def book(home):
    return rating.RatingStore()


def test_one_call_makes_a_project_from_runs(book):
    runs = make_runs(methods=("prefix_tuning", "lora"))
    made = rating.create_project(book, ME, runs, items=6, training=1, checks=1)
    assert made.facts["runs"] == [run.id for run in runs]
    assert made.facts["methods"] == ["prefix_tuning", "lora"]
    table = rating.item_table(book, ME, made.id)
    assert list(table["kind"]).count("training") == list(table["kind"]).count("check") == 1
    key = rating.origin_table(book, ME, made.id)
    assert key.groupby("method")["item"].count().to_dict() == {
        "gold": 6,
        "lora": 6,
        "prefix_tuning": 6,
    }
    assert key["correct"].all()
    answers = runs[1].answers().set_index(["seed", "example"])
    shown = table.set_index("item")
    for row in key[key["run"] == runs[1].id].to_dict("records"):
        example = shown.at[row["item"], "example"]
        assert answers.at[(row["seed"], example), "explanation"] == row["explanation"]
        assert shown.at[row["item"], "fields"][0][0] == "premise"


def test_its_name_and_what_it_is_about_are_found_again(book):
    made = rating.create_project(book, ME, [make_run()], "  A name  ", items=4)
    assert (made.name, made.task, made.open, made.demo) == ("A name", "miniworld_nli", True, False)
    assert rating.find_project(book, ME, made.id) == made
    assert rating.list_projects(book, ME) == [made]
    plain = rating.create_project(book, ME, [make_run()], items=4)
    assert plain.name == "Explanations of Miniworld: learning to spell new labels, with a reason"


@pytest.mark.parametrize(
    ("runs", "settings", "message"),
    [
        (lambda: [], {}, "at least one run"),
        (lambda: [make_run(), make_run(task="miniworld_nonsense")], {}, "about one task"),
        (lambda: [make_run(task="miniworld_venues")], {}, "no explanations to rate"),
        (lambda: [make_run()], {"items": 900}, "900 were asked for"),
        (lambda: [make_run()], {"itmes": 3}, "did you mean 'items'"),
        (lambda: [make_run()], {"overlap": 0}, r"overlap must lie in \[1, 50\]; got 0"),
    ],
)
def test_what_cannot_be_rated_is_refused_with_the_reason(book, runs, settings, message):
    with pytest.raises(BadInput, match=message):
        rating.create_project(book, ME, runs(), **settings)
    assert rating.list_projects(book, ME) == []


def test_a_run_that_has_not_answered_yet_is_refused(book):
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import RunStore

    run = RunStore().create(RunSpec(base="b", task="miniworld_nli", method="lora"))
    with pytest.raises(BadInput, match="no answers yet: it is queued"):
        rating.create_project(book, ME, [run])


def test_experimenters_see_how_far_each_rater_is(book):
    made = project(book, 3)
    ann = rater(book, made, "Ann")
    rater(book, made, "Bob")
    rate_next(book, ann)
    rating.skip_item(book, ann, rating.next_item(book, ann).lease, "s")
    table = [
        (row.name, row.done, row.skipped, row.active)
        for row in rating.list_raters(book, ME, made.id)
    ]
    assert table == [("Ann", 1, 1, True), ("Bob", 0, 0, True)]
