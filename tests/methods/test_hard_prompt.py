from support.bases import build_tiny

from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.data.task import Example
from peftcore.training import planning

EXAMPLE = Example("1", "a cat sat", "yes", "yes")


def read(method, shown=(), family="t5", **settings):
    recipe = METHODS[method]
    adapter = recipe(build_tiny(family), recipe.Config.make(settings), SeededInitializer([0], 1))
    return adapter.read(EXAMPLE, shown)


def test_the_instruction_stands_before_the_input_and_nothing_else_changes():
    found = read("hard_prompt", instruction=" say yes or no . ")
    assert found.source == "say yes or no . a cat sat"
    assert (found.id, found.target, found.label) == ("1", "yes", "yes")
    assert read("hard_prompt") == EXAMPLE  # zero-shot


def test_settings_of_training_decide_nothing_where_nothing_is_trained():
    make = lambda **training: planning.build_spec(
        "tiny-t5", "miniworld_sentiment", "hard_prompt", training=training
    )
    assert make(steps=7, learning_rate=0.5, batch=4, patience=3) == make()
    assert make().training.learning_rate is None
    assert make(shots=12).id != make().id  # which examples are dev depends on it
