"""Every step of every story that ships is drawn; links, and a teacher's own stories."""

import json

import pytest
from support.pages import charts, open_page, sound, words

from app import nav
from app.learn.pictures import OPTIONS_BY_PICTURE
from peftcore import paths
from peftcore.stories import story as story_files

STORIES = {each.name: each for each in story_files.list_stories(OPTIONS_BY_PICTURE)}
STEPS = [(name, step.id) for name, each in STORIES.items() for step in each.story.steps]
CLAIMED = {
    "attention_row",
    "toy_answers",
    "weight_map",
    "reasons",
    "atom_drawings",
}  # pictures that are no chart


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_every_step_shows_its_words_and_its_picture(name, step):
    page = open_page("learn", story=name, step=step)
    found = next(each for each in STORIES[name].story.steps if each.id == step)
    assert found.title in words(page)
    assert not page.warning
    assert charts(page) or found.picture in CLAIMED
    assert found.question
    assert found.answer
    assert found.lab
    assert any(entry.name == found.lab.page for entry in nav.page_entries())


def test_the_list_names_every_story():
    shown = words(open_page("learn"))
    assert all(each.story.title in shown for each in STORIES.values())
    assert all(each.story for each in STORIES.values())


def test_buttons_turn_to_the_next_step_and_back():
    page = open_page("learn", story="prefix", step="shares")
    page.button(key="learn.next").click().run()
    assert page.query_params["step"] == "prefix"
    assert "same factor" in words(sound(page))
    page.button(key="learn.back").click().run()
    assert page.query_params["step"] == "shares"
    assert page.button(key="learn.back").disabled


def test_the_address_sets_the_knob_and_the_knob_the_finding():
    page = open_page("learn", story="verdicts", step="seeds", at="60")
    assert "60 seeds" in words(page)
    page.select_slider[0].set_value("2").run()
    assert page.query_params["at"] == "2"
    assert "n = 2 seeds" in words(sound(page))


def test_presenting_leaves_by_a_button():
    page = open_page("learn", story="prefix", step="layers", present="1")
    large = charts(page)[0]["layout"]["height"]
    page.button(key="learn.close").click().run()
    assert "present" not in page.query_params
    assert large > charts(sound(page))[0]["layout"]["height"]


def test_an_unknown_story_is_said_and_the_list_is_shown():
    page = open_page("learn", story="nowhere")
    assert "There is no story" in page.warning[0].value
    assert len(page.expander) == 1


def test_a_teachers_story_is_shown_and_a_broken_one_explained(home):
    folder = story_files.own_stories_folder()
    folder.mkdir(parents=True)
    step = {"id": "a", "title": "Mine", "text": "Look.", "picture": "layers_changed"}
    (folder / "mine.yaml").write_text(json.dumps({"title": "My own", "steps": [step]}))
    (folder / "bad.yaml").write_text("title: x")
    page = open_page("learn")
    assert "My own" in words(page)
    assert "bad.yaml" in words(page)
    assert charts(open_page("learn", story="mine"))


def test_a_story_with_a_run_that_does_not_ship_says_so(home):
    folder = story_files.own_stories_folder()
    folder.mkdir(parents=True)
    step = {"id": "a", "title": "Mine", "text": "Look.", "picture": "scores"}
    steps = [step | {"options": {"runs": ["nothing"]}}, step | {"id": "b"}]
    (folder / "mine.yaml").write_text(json.dumps({"title": "My own", "steps": steps}))
    assert "does not ship" in words(open_page("learn", story="mine"))
    assert "Option 'runs' is missing" in words(open_page("learn", story="mine", step="b"))


def test_the_example_of_the_readme_is_a_story(tmp_path):
    text = (paths.ROOT / "peftcore" / "stories" / "README.md").read_text("utf-8")
    path = tmp_path / "example.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0], "utf-8")
    assert len(story_files.read_story(path, OPTIONS_BY_PICTURE).steps) == 2
