"""Recipes of the experiments."""

import hashlib

import pytest

from peftcore.errors import BadInput
from peftcore.labs.toys import (
    model,
)
from peftcore.labs.toys.recipes import Stage, find_recipe


def test_sizes_are_those_of_the_authors_code():
    def without_head(number, size):
        made = model.init_model(find_recipe(number, size).shape, [0])
        return sum(t.numel() for name, t in made.items() if name != "head")

    assert without_head("01", "full") == 114_912
    assert without_head("02", "full") == 797_440
    assert without_head("03", "full") == 3_169_536


def test_keys_of_stages_without_the_later_fields_are_as_before():
    plain = Stage(kind="lora", task="histogram", steps=4000, rate=5e-3)
    recipe = find_recipe("04")
    shape, first = recipe.shape, recipe.stages[0]
    kept = {"kind", "task", "steps", "rate"}
    text = "|".join([shape.model_dump_json(), first.model_dump_json(include=kept), *OLD])
    assert recipe.key(plain, (0, 1)) == hashlib.sha256(text.encode()).hexdigest()[:12]
    changed = [
        plain.model_copy(update=later)
        for later in ({"falling": True}, {"starts": 2}, {"attention": True})
    ]
    assert len({recipe.key(each, (0, 1)) for each in (plain, *changed)}) == 4


OLD = ('{"kind":"lora","task":"histogram","steps":4000,"rate":0.005}', "(0, 1)")


def test_unknown_experiments_and_recipes_are_named():
    with pytest.raises(BadInput, match="toy experiment"):
        find_recipe("05")
    with pytest.raises(BadInput, match="recipe"):
        find_recipe("01", "huge")
