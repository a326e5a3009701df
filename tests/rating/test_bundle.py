"""Projects as files: whole histories, and nothing believed."""

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
