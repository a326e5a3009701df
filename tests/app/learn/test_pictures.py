"""Every picture that is listed is used by a story."""

from app.learn.pictures import OPTIONS_BY_PICTURE, PICTURES
from peftcore.stories import story as story_files

STORIES = {each.name: each for each in story_files.list_stories(OPTIONS_BY_PICTURE)}


def test_every_picture_of_the_list_is_used():
    used = {step.picture for each in STORIES.values() for step in each.story.steps}
    assert used == set(PICTURES) - {"lab_view"}  # which only steps that people add have
