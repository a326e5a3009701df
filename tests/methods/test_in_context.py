from support.bases import build_tiny

from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.data.task import Example

EXAMPLE = Example("1", "a cat sat", "yes", "yes")
SHOWN = (Example("2", "a dog ran", "no"), Example("3", "it is", "yes"))


def source(family, shown, **settings):
    method = METHODS["in_context"]
    config = method.Config.make(settings)
    adapter = method(build_tiny(family), config, SeededInitializer([0], 1))
    return adapter.read(EXAMPLE, shown).source


def test_examples_with_their_answers_stand_before_the_input_in_the_marks_of_the_kind_of_base():
    assert source("t5", SHOWN) == "a dog ran = no ; it is = yes ; a cat sat ="
    # The batcher puts the line break between a decoder's text and its answer.
    assert source("gpt2", SHOWN) == "a dog ran\nno\n\nit is\nyes\n\na cat sat"
    assert source("t5", SHOWN[:1], instruction="judge :") == "judge : a dog ran = no ; a cat sat ="


def test_without_examples_the_base_reads_the_input_alone():
    assert source("t5", ()) == source("gpt2", ()) == EXAMPLE.source
