"""A view that is added to a story is a step of it; nothing that somebody wrote is lost."""

import pytest

from peftcore.errors import BadInput
from peftcore.stories import own_steps, story

PICTURES = {own_steps.LAB_VIEW: {"page", "query"}}
QUERY = {"run": "2556dc271826", "view": "Lines", "text": "a & b = c"}


def add(title="One head", text="Look here.", story_title="My lesson"):
    return own_steps.add_view(story_title, title, text, "attention", QUERY)


def test_a_new_story_begins_with_the_view_and_grows_by_the_next(home):
    assert add() == ("my-lesson", "one-head")
    assert add() == ("my-lesson", "one-head-2")
    found = story.read_story(story.own_stories_folder() / "my-lesson.yaml", PICTURES)
    assert found.title == "My lesson"
    assert [step.id for step in found.steps] == ["one-head", "one-head-2"]
    assert found.steps[0].lab.query == QUERY
    assert found.steps[0].options["query"].endswith("text=a+%26+b+%3D+c")
    assert list(own_steps.own_titles()) == ["My lesson"]


def test_a_title_without_latin_letters_has_a_file_all_the_same(home):
    name, step = add(story_title="注意力", title="第一步")
    assert name.startswith("story-")
    assert step.startswith("story-")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"title": " "}, "a title of its own"),
        ({"text": "word " * 61}, "61 words"),
        ({"text": "<b>loud</b>"}, "raw HTML"),
    ],
)
def test_what_learn_would_refuse_is_not_written(home, words, reason):
    with pytest.raises(BadInput, match=reason):
        add(**words)
    assert not story.own_stories_folder().exists()


def test_comments_and_files_that_cannot_be_read_are_left_alone(home):
    add()
    path = story.own_stories_folder() / "my-lesson.yaml"
    path.write_text(f"# by hand\n{path.read_text()}")
    with pytest.raises(BadInput, match="has comments"):
        add()
    path.write_text("title: [")
    with pytest.raises(BadInput, match="cannot be read"):
        add()
    assert path.read_text() == "title: ["


def test_a_story_has_no_more_steps_than_its_bound(home):
    for number in range(story.MOST_STEPS):
        add(title=f"Step {number}")
    with pytest.raises(BadInput, match="12"):
        add()
