"""Measuring atoms: prompts that need both runs, and the shares that suit them."""

from peftcore.data.task import Example
from peftcore.labs.images import compute
from peftcore.tasks.images import scenes
from peftcore.tasks.kinds.images import is_new


def test_prompts_that_need_both_show_the_shape_at_night():
    rows = compute.combined_examples(20)
    assert rows == compute.combined_examples(20)
    asked = [compute.requested_scene(row) for row in rows]
    assert all(scenes.scene_kind(scene) == "both" for scene in asked)


def test_shares_are_chosen_on_prompts_that_are_not_judged():
    judged = {row.source for row in compute.combined_examples(60)}
    dev = compute.combined_examples(60, "validation")
    assert not judged & {row.source for row in dev}
    assert all(scenes.scene_kind(compute.requested_scene(row)) == "both" for row in dev)
    assert len({row.id for row in (*dev, *compute.combined_examples(60))}) == 120


def test_the_best_shares_have_most_scenes_then_most_facts_over_seeds():
    rows = [(0, 1.0, 1.0, 0.2, 0.5), (1, 1.0, 1.0, 0.0, 0.5), (0, 0.5, 1.0, 0.1, 0.9),
            (1, 0.5, 1.0, 0.1, 0.2), (0, 0.0, 1.0, 0.0, 1.0), (1, 0.0, 1.0, 0.0, 1.0)]  # fmt: skip
    names = ("seed", "concept", "style", "alignment", "facts")
    grid = [dict(zip(names, row, strict=True)) for row in rows]
    assert compute.best_shares(grid) == (0.5, 1.0)


def test_numbers_of_atoms_are_dense_where_pictures_change():
    assert compute.kept_counts(128) == [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 112, 128]
    assert compute.kept_counts(1) == [0, 1]


def test_new_prompts_are_drawn_again_with_a_chance_of_their_own():
    rows = [Example("test/new/3", "draw a three", ""), Example("test/old/4", "draw a one", "")]
    more = compute.repeated_examples(rows)
    assert [row.source for row in more] == ["draw a three"] * compute.EXTRA_IMAGES
    assert len({row.id for row in (*rows, *more)}) == 2 + compute.EXTRA_IMAGES
    assert all(is_new(row) for row in more)
