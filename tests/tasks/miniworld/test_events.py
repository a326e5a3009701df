"""Stories and statements of Miniworld: consistent facts, no clue in a part alone."""

import random

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from peftcore.tasks.miniworld import events, grammar
from peftcore.tasks.miniworld import knowledge as world


@pytest.fixture(scope="module")
def pairs() -> list[events.StoryPair]:
    rng = random.Random(11)
    return [events.sample_story_pair(rng, events.RELATIONS[i % 3]) for i in range(3000)]


def _guessing(texts: list[str], labels: list[str]) -> float:
    """Accuracy of a bag of words and word pairs on the last third."""
    cut = 2 * len(texts) // 3
    counts = CountVectorizer(ngram_range=(1, 2), min_df=2)
    known = counts.fit_transform(texts[:cut])
    model = LogisticRegression(max_iter=300, C=0.1).fit(known, labels[:cut])
    return float(model.score(counts.transform(texts[cut:]), labels[cut:]))


def test_a_statement_alone_does_not_tell_its_relation(pairs):
    assert _guessing([p.statement for p in pairs], [p.relation for p in pairs]) < 0.40


def test_lengths_alone_do_not_tell_the_relation(pairs):
    lengths = [[len(p.story.split()), len(p.statement.split())] for p in pairs]
    labels = [p.relation for p in pairs]
    model = LogisticRegression(max_iter=300).fit(lengths[:2000], labels[:2000])
    assert model.score(lengths[2000:], labels[2000:]) < 0.42


def test_every_kind_of_reasoning_occurs(pairs):
    found = {(p.relation, p.reasoning) for p in pairs}
    assert {("follows", w) for w in ("kind", "drop", "synonym", "side")} <= found
    assert {("clashes", w) for w in ("noun", "value", "verb", "side")} <= found
    assert {("untold", w) for w in ("missing", "narrow")} <= found


def test_reasons_name_true_kinds(pairs):
    for pair in pairs:
        if pair.reasoning != "kind":
            continue
        below, _, above = pair.reason.partition(" is ")
        noun, kind = (t.removeprefix("a ").removeprefix("an ") for t in (below, above))
        assert kind in world.kinds_of(noun)


def test_what_follows_keeps_every_content_word_or_a_kind_or_synonym_of_it(pairs):
    synonyms = set(world.SYNONYMS)
    for pair in pairs:
        if pair.relation != "follows" or pair.story.split()[0] in world.VALUES["number"]:
            continue
        sentences = set(pair.statement.split()) - {"a", "an", "some", "the", "there"}
        missing = {w for w in sentences - set(pair.story.split())
                   if grammar.plural(w) not in pair.story.split()}  # fmt: skip
        kinds = {k for noun in world.NOUNS for k in world.kinds_of(noun)}
        named = kinds | {grammar.plural(k) for k in kinds}
        known = {word for name in named for word in name.split()}
        known |= {word for phrase in synonyms for word in phrase.split()}
        known |= {word for reason in pair.reasons for word in reason.split()}
        assert missing <= known | {"is", "was", "are", "were", "inside", "outside"}, pair
