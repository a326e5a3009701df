"""A story is checked as a whole, and a file that cannot be read takes no other down."""

import pytest

from peftcore.errors import BadInput
from peftcore.stories import story

PICTURES = {"row": {"modes"}}
GOOD = """
title: A title
steps:
  - {id: one, title: First, text: Some words., picture: row, options: {modes: [frozen]}}
  - {id: two, title: Second, text: More words., picture: row}
"""


def write(folder, text, name="mine.yaml"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_story_is_read_with_its_steps(tmp_path):
    found = story.read_story(write(tmp_path, GOOD), PICTURES)
    assert [step.id for step in found.steps] == ["one", "two"]
    assert found.number_of("two") == 1
    assert found.number_of("nowhere") == 0


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("picture: row,", "picture: rows,", "step one: no picture 'rows'"),
        ("modes: [", "mode: [", "step one: no option of row 'mode'"),
        ("Some words.", "word " * 61, "61 words; at most 60"),
        ("Some words.", "<b>loud</b>", "raw HTML"),
        ("id: two", "id: one", "two steps are called 'one'"),
        ("id: two", "id: Two!", "id"),
        ("title: A title", "titel: A title", "titel"),
        ("steps:", "steps: [", "no YAML"),
        ("title: A title", "title: &a A title\npaper: *a", "refers to parts of itself"),
        (GOOD, "- a list", "must have title and steps"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_place(tmp_path, old, new, reason):
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=reason) as caught:
        story.read_story(path, PICTURES)
    assert str(caught.value).startswith("mine.yaml: ")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with pytest.raises(BadInput, match="at most"):
        story.read_story(write(tmp_path, GOOD + "#" * story.MOST_BYTES), PICTURES)


def test_own_stories_stand_after_those_that_ship(home):
    own = story.own_stories_folder()
    write(own, GOOD)
    write(own, GOOD, "prefix.yaml")
    write(own, "title: no steps", "broken.yaml")
    (own / "binary.yaml").write_bytes(b"\xff\xfe")
    found = {each.name: each for each in story.list_stories(PICTURES)}
    assert found["mine"].story is not None
    assert found["own-prefix"].own
    assert not found["prefix"].own
    assert found["broken"].story is None
    assert "broken.yaml" in found["broken"].problem
    assert "UTF-8" in found["binary"].problem
