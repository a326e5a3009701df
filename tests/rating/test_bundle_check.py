"""A rating project's rows are checked as a whole before one is stored."""

import json

import pytest
from support.ratings import ME

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import bundle, demo


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return demo.open_rating_store(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")


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
