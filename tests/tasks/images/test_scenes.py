"""Scenes: drawn pictures are read back exactly, and what is kept apart never slips in."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from peftcore.tasks.images import canvas, scenes
from peftcore.tasks.images.scenes import Scene, Thing

RING, SQUARE = Thing("red", "ring"), Thing("blue", "square")
LEFT = Scene((RING, SQUARE), "left of")
PICTURE = canvas.code_to_picture(
    "00000000/11100000/10103330/11103330/00003330/00000000/00000000/00000000"
)


@given(some.integers(0, 10**6), some.sampled_from(scenes.SCENE_KINDS))
def test_every_scene_reads_back_as_what_was_asked(seed, kind):
    rng = random.Random(seed)
    scene = scenes.sample_scene(rng, kind)
    picture = scenes.render_scene(scene, rng)
    assert scenes.scene_kind(scene) == kind
    assert scenes.parse_prompt(scene.prompt) == scene
    assert scenes.scene_match(scene, picture) == 1.0


def test_a_scene_is_the_same_in_every_process():
    rng = random.Random("fixed")
    assert scenes.sample_scene(rng, "plain").prompt == "a yellow hook left of a purple ring"


def test_a_picture_is_told_in_words():
    seen = scenes.recognise_scene(PICTURE)
    assert seen is not None
    assert seen.description == "a red ring left of a blue square"


def test_facts_count_things_and_relation():
    assert scenes.scene_fact_share(LEFT, PICTURE) == 1.0
    assert scenes.scene_fact_share(Scene((SQUARE, RING), "left of"), PICTURE) == 2 / 3
    assert (
        scenes.scene_fact_share(Scene((Thing("green", "ring"), SQUARE), "left of"), PICTURE)
        == 2 / 3
    )
    assert scenes.scene_fact_share(Scene((RING, SQUARE), "left of", night=True), PICTURE) == 1 / 3
    assert scenes.scene_fact_share(Scene((RING,)), PICTURE) == 0.0
    assert scenes.scene_match(LEFT, PICTURE) == 1.0
    assert scenes.scene_match(Scene((RING, SQUARE), "above"), PICTURE) == 0.0


def test_at_night_every_shape_is_black():
    night = Scene((RING, SQUARE), "left of", night=True)
    black = tuple(6 if level else 0 for level in PICTURE)
    assert scenes.scene_fact_share(night, black) == 1.0
    assert scenes.scene_match(LEFT, black) == 0.0
    assert set(scenes.render_scene(night, random.Random(0))) == {0, 6}


def test_one_stray_pixel_makes_a_picture_unreadable():
    stray = (*PICTURE[:63], 2)
    assert scenes.recognise_scene(stray) is None
    assert scenes.scene_fact_share(LEFT, stray) == 0.0


def test_an_empty_picture_shows_nothing():
    seen = scenes.recognise_scene((0,) * 64)
    assert seen is not None
    assert seen.description == "nothing"


@pytest.mark.parametrize(
    "text", ["a red", "a pink ring", "a red ring beside a blue cup", "a black ring at night", ""]
)
def test_what_cannot_be_drawn_is_not_a_scene(text):
    assert scenes.parse_prompt(text) is None


def test_plain_scenes_never_show_what_is_kept():
    rng = random.Random(1)
    for _ in range(500):
        scene = scenes.sample_scene(rng, "plain")
        assert not scene.night
        assert scene.relation != scenes.UNSEEN_RELATION
        assert all(t.shape != "gate" and not scenes.is_held_out_thing(t) for t in scene.things)
        assert not scenes.is_held_out_pair(scene)
