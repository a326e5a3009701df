"""Recipes of the experiments."""

import pytest

from peftcore.errors import BadInput
from peftcore.labs.toys import (
    model,
)
from peftcore.labs.toys.recipes import find_recipe


def test_sizes_are_those_of_the_authors_code():
    def without_head(number, size):
        made = model.init_model(find_recipe(number, size).shape, [0])
        return sum(t.numel() for name, t in made.items() if name != "head")

    assert without_head("01", "full") == 114_912
    assert without_head("02", "full") == 797_440
    assert without_head("03", "full") == 3_169_536


def test_unknown_experiments_and_recipes_are_named():
    with pytest.raises(BadInput, match="toy experiment"):
        find_recipe("05")
    with pytest.raises(BadInput, match="recipe"):
        find_recipe("01", "huge")
