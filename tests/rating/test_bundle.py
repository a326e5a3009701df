"""Projects as files: whole histories, and nothing believed."""

import json

import pytest
import sqlalchemy as sa
from support.commands import printed
from support.ratings import ME, project

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import bundle, demo, schema


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return demo.open_rating_store(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")


def test_a_bundle_carries_the_whole_history(home, tmp_path):
    book = rating.RatingStore()
    made = project(book, 3)
    who = rating.sign_in(book, rating.invite(book, ME, made.id, "Ann").token)
    shown = rating.next_item(book, who)
    rating.submit_answer(book, who, shown.lease, "neutral", "a")
    for verdict in ("yes", "no", "weak no"):
        rating.submit_rating(book, who, shown.lease, rating.Judgement(verdict=verdict), verdict)
    rating.adjudicate(book, ME, rating.item_table(book, ME, made.id)["item"][0], yes())
    rating.adjudicate(book, ME, rating.item_table(book, ME, made.id)["item"][0], yes())
    lines = list(bundle.dump_project(book, ME, made.id))
    other = rating.RatingStore(f"sqlite:///{tmp_path / 'other.sqlite'}")
    project(other, 2)  # so that numbers differ
    assert bundle.load_project(other, ME, lines) == made
    assert bundle.load_project(other, ME, lines) == made  # again: left as it is
    table_here = rating.verdict_table(other, ME, made.id, history=True)
    assert list(table_here["verdict"]) == ["yes", "no", "weak no"]
    assert list(table_here["current"]) == [False, False, True]
    assert len(rating.origin_table(other, ME, made.id)) == 3
    with pytest.raises(rating.NotAllowed):
        rating.sign_in(other, f"{who.rater}.")


def yes():
    return rating.Judgement(verdict="yes")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not a row"),
        ('{"table": "jobs", "id": 1}', "line 1 is not a row"),
        ('{"table": "rating_items", "x": 1}', "the field 'x'"),
        ('{"table": "rating_items", "id": "x"}', "holds 0"),
    ],
)
def test_what_is_no_bundle_is_refused(home, line, message):
    with pytest.raises(BadInput, match=message):
        bundle.load_project(rating.RatingStore(), ME, [line])


def changed(line, **values):
    return json.dumps(json.loads(line) | values)


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        ("rating_projects", {"settings": {"overlap": -5}}, "settings cannot be read: overlap"),
        ("rating_projects", {"settings": []}, "settings are no object"),
        ("rating_projects", {"facts": 3}, "facts are no object"),
        ("rating_projects", {"state": "evil"}, "neither open nor closed"),
        ("rating_projects", {"created": "now"}, "'created' cannot be 'now'"),
        ("rating_projects", {"name": None}, "'name' is missing"),
        ("rating_items", {"texts": [["a"]]}, "its texts cannot be"),
        ("rating_items", {"kind": "odd"}, "its kind cannot be 'odd'"),
        ("rating_items", {"number": True}, "'number' cannot be 'True'"),
        ("rating_items", {"project": "0" * 16}, "is not in the bundle"),
        ("rating_items", {"example": "a\0"}, "'example' cannot be"),
        ("rating_origins", {"place": 7}, "no text number 7"),
        ("rating_leases", {"expires": float("inf")}, "'expires' cannot be"),
        ("rating_ratings", {"act": "eaten"}, "nobody can have 'eaten'"),
        ("rating_ratings", {"judgement": {"verdict": "perhaps"}}, "no verdict 'perhaps'"),
        ("rating_ratings", {"judgement": 4}, "judgement cannot be read"),
    ],
)
def test_a_bundle_with_one_bad_row_leaves_everything_as_it_was(
    book, tmp_path, table, values, message
):
    mine = rating.list_projects(book, ME)[0].id
    lines = list(bundle.dump_project(book, ME, mine))
    at = next(n for n, line in enumerate(lines) if json.loads(line)["table"] == table)
    lines[at] = changed(lines[at], **values)
    other = rating.RatingStore(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with pytest.raises(BadInput, match=f"line {at + 1} .*{message}"):
        bundle.load_project(other, ME, lines)
    assert rating.list_projects(other, ME) == []


def test_ids_that_stand_twice_or_are_taken_are_refused(book, tmp_path):
    mine = rating.list_projects(book, ME)[0].id
    lines = list(bundle.dump_project(book, ME, mine))
    item = next(line for line in lines if json.loads(line)["table"] == "rating_items")
    with pytest.raises(BadInput, match="stands twice"):
        bundle.load_project(book, ME, [*lines, item])
    other = [line.replace(mine, "f" * 16) for line in lines]
    before = rating.list_projects(book, ME)
    with pytest.raises(BadInput, match="ids of others"):
        bundle.load_project(book, ME, other)
    assert rating.list_projects(book, ME) == before


def test_a_project_that_cannot_be_read_hides_no_other_and_can_be_removed(home, capsys):
    book = rating.RatingStore()
    good, bad = project(book, 2), project(book, 3)
    with book.write() as connection:
        change = sa.update(schema.PROJECTS).where(schema.PROJECTS.c.id == bad.id)
        connection.execute(change.values(settings={"overlap": "many"}))
    assert [each.id for each in rating.list_projects(book, ME)] == [good.id]
    [reason] = rating.unreadable_projects(book, ME).values()
    assert bad.id in reason
    assert "overlap" in reason
    with pytest.raises(BadInput, match=bad.id):
        rating.find_project(book, ME, bad.id)
    assert bad.id not in {each["project"] for each in printed("rating", "list")}
    assert printed("rating", "remove", bad.id, "--yes") == {"removed": bad.id}
    assert rating.unreadable_projects(book, ME) == {}
    assert len(rating.item_table(book, ME, good.id)) > 0


def test_a_rated_project_is_removed_whole(home):
    book = rating.RatingStore()
    made = project(book, 3)
    who = rating.sign_in(book, rating.invite(book, ME, made.id, "Ann").token)
    shown = rating.next_item(book, who)
    rating.submit_answer(book, who, shown.lease, "neutral", "a")
    for verdict in ("yes", "no"):
        rating.submit_rating(book, who, shown.lease, rating.Judgement(verdict=verdict), verdict)
    rating.remove_project(book, ME, made.id)
    for table in schema.metadata.sorted_tables:
        assert book.read(sa.select(table)) == []
    with pytest.raises(BadInput, match="no project"):
        rating.remove_project(book, ME, made.id)
