"""Plurals and articles."""

import pytest

from peftcore.tasks.miniworld import grammar


@pytest.mark.parametrize(
    ("noun", "more"), [("mouse", "mice"), ("cherry", "cherries"), ("box", "boxes"), ("dog", "dogs")]
)
def test_plurals(noun, more):
    assert grammar.plural(noun) == more


def test_articles_and_mass_nouns():
    assert grammar.some("apple", "old") == "an old apple"
    assert grammar.some("bread", "stale") == "some stale bread"
    assert grammar.a("uniform") == "a uniform"
