"""Keys and a language of a rater's own: checked, kept with the rater, and nobody else's."""

import json

import pytest
from support import ratings as rated

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import bundle
from peftcore.rating.rater_view import briefing

TEXTS = {"de": "Zuerst selbst antworten.", "ar": "أجب أولا"}


@pytest.fixture
def book(home):
    return rating.RatingStore(new_id=rated.counted())


def test_keys_are_kept_with_the_rater_and_on_every_machine(book):
    project = rated.project(book)
    ann, bo = rated.rater(book, project), rated.rater(book, project, "Bo")
    rating.save_preferences(book, ann, keys={"skip": "W", "choice 1": "&"})
    again = rating.RatingStore()
    kept = rating.read_preferences(again, ann).keys
    assert (kept["skip"], kept["choice 1"], kept["undo"]) == ("w", "&", "u")
    assert rating.read_preferences(again, bo).keys == rating.DEFAULT_KEYS
    rating.save_preferences(book, ann, keys={})
    assert rating.read_preferences(book, ann).keys == rating.DEFAULT_KEYS


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"skip": "u"}, "'u' would do two things, “Skip” and “Undo”"),
        ({"skip": "1"}, "'1' would do two things, “Choice 1” and “Skip”"),
        ({"skip": "w", "back": "W"}, "'w' would do two things"),
        ({"skip": ""}, "a key is one letter"),
        ({"skip": "ab"}, "a key is one letter"),
        ({"skip": " "}, "a key is one letter"),
        ({"skip": "\u202e"}, "a key is one letter"),
        ({"skip": 7}, "a key is one letter"),
        ({"skip": "r"}, "belongs to the browser page"),
        ({"jump": "w"}, "jump"),
    ],
)
def test_a_key_that_does_two_things_or_is_none_changes_nothing(book, keys, says):
    ann = rated.rater(book, rated.project(book))
    with pytest.raises(BadInput) as refused:
        rating.save_preferences(book, ann, keys=keys)
    assert says in str(refused.value)
    assert rating.read_preferences(book, ann).keys == rating.DEFAULT_KEYS


def test_two_keys_may_change_places(book):
    ann = rated.rater(book, rated.project(book))
    rating.save_preferences(book, ann, keys={"skip": "u", "undo": "s"})
    assert rating.read_preferences(book, ann).keys["undo"] == "s"


def test_guidelines_have_languages_and_a_rater_keeps_the_chosen_one(book):
    ann = rated.rater(book, rated.project(book, guidelines="Answer first.", translations=TEXTS))
    assert briefing(book, ann).guidelines == {"en": "Answer first."} | TEXTS
    assert rating.read_preferences(book, ann).language == ""
    rating.save_preferences(book, ann, language="de")
    rating.save_preferences(book, ann, keys={"skip": "w"})
    assert rating.read_preferences(book, ann).language == "de"
    with pytest.raises(BadInput, match="language of the guidelines"):
        rating.save_preferences(book, ann, language="fr")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"translations": {"german!": "x"}}, "written as en, de or pt-BR"),
        ({"translations": {"de": " "}}, "1 to 20,000 characters"),
        ({"translations": {"de": "x" * 20_001}}, "1 to 20,000 characters"),
        ({"language": "English"}, "written as en, de or pt-BR"),
    ],
)
def test_a_language_without_a_tag_or_a_text_is_refused(settings, says):
    with pytest.raises(BadInput) as refused:
        rating.ProjectSettings.make(settings)
    assert says in str(refused.value)


def test_only_the_rater_chooses_and_a_bundle_takes_nothing_of_it_along(book):
    project = rated.project(book)
    ann = rated.rater(book, project)
    rating.save_preferences(book, ann, keys={"skip": "w"})
    with pytest.raises(rating.NotAllowed):
        rating.save_preferences(book, rated.ME, keys={})
    rows = [json.loads(line) for line in bundle.dump_project(book, rated.ME, project.id)]
    assert all("preferences" not in row for row in rows)
    rating.revoke_link(book, rated.ME, ann.rater)
    with pytest.raises(rating.NotAllowed, match="not valid any more"):
        rating.save_preferences(book, ann, keys={})
