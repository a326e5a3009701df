"""A lab's view is added to a story of one's own, which shows the page itself at that address."""

import pytest
from support.pages import open_page, sound, words

from app.learn import view_pictures
from app.learn.pictures import OPTIONS_BY_PICTURE
from peftcore.errors import BadInput
from peftcore.stories import own_steps, story


def test_a_view_is_added_to_a_story_and_its_step_shows_the_page(home):
    own_steps.add_view("My lesson", "First", "Some words.", "limits", {})
    page = open_page("limits", view="Share", head="2")
    page.selectbox(key="limits.story.title").select("My lesson")
    page.text_input(key="limits.story.step").set_value("The share")
    page.button(key="limits.story.add").click().run()
    assert "a few words" in page.warning[0].value
    page.text_area(key="limits.story.text").set_value("Each bar is a token.")
    sound(page.button(key="limits.story.add").click().run())
    assert not page.warning
    assert "Added" in page.success[0].value
    [path] = story.own_stories_folder().glob("*.yaml")
    _, step = story.read_story(path, OPTIONS_BY_PICTURE).steps
    assert step.lab.page == "limits"
    assert {"view": "Share", "head": "2"}.items() <= step.lab.query.items()
    shown = open_page("learn", story=path.stem, step=step.id)
    assert "Each bar is a token" in words(shown)
    [frame] = shown.get("iframe")
    assert frame.proto.src.startswith("/limits?")
    assert frame.proto.src.endswith("embed=true")
    assert "view=Share" in frame.proto.src


def test_a_page_that_is_not_there_is_refused_and_an_address_is_written_anew():
    assert view_pictures.view_address("limits", "view=a b&x=//evil") == (
        "/limits?view=a+b&x=%2F%2Fevil&embed=true"
    )
    for page in ("nowhere", "//evil", "limits?x="):
        with pytest.raises(BadInput, match="no page"):
            view_pictures.view_address(page, "")
