"""A template is found from examples and filled with other texts."""

import pytest

from peftcore import tasks
from peftcore.data.fill_template import find_template
from peftcore.data.task import Example


def example(source, *parts):
    return Example("x", source, "y", parts=parts)


def test_other_texts_stand_where_the_parts_stood():
    rows = [example("b: two. a: one", "one", "two"), example("b: 4. a: 3", "3", "4")]
    found = find_template(rows)
    assert found.names() == ["B", "A"]
    assert found.fill(["dos", "uno"]) == "b: dos. a: uno"
    assert found.in_order_of_parts(["dos", "uno"]) == ["uno", "dos"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [example("no parts")],
        [example("a: one one", "one")],
        [example("a: onetwo", "onetwo", "two")],
        [example("a: one", "one"), example("b: two", "two")],
    ],
)
def test_what_is_no_plain_template_has_none(rows):
    assert find_template(rows) is None


@pytest.mark.parametrize("name", ["miniworld_nli", "miniworld_sentiment"])
def test_tasks_are_filled_in_to_what_their_examples_read(name):
    rows = tasks.find_task(name).load("test")
    found = find_template(rows)
    assert found.names()
    for row in rows[:20]:
        assert found.fill([row.parts[part] for part in found.parts]) == row.source
