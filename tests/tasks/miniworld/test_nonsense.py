"""Nonsense sentences of Miniworld: nothing but sense tells them apart, and reasons hold."""

import random

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld import nonsense


def _guessing(texts: list[str], labels: list[str]) -> float:
    """Accuracy of a bag of words and word pairs on the last third."""
    cut = 2 * len(texts) // 3
    counts = CountVectorizer(ngram_range=(1, 2), min_df=2)
    known = counts.fit_transform(texts[:cut])
    model = LogisticRegression(max_iter=300, C=0.1).fit(known, labels[:cut])
    return float(model.score(counts.transform(texts[cut:]), labels[cut:]))


def test_word_lists_alone_do_not_tell_which_statement_comes_first_in_nonsense():
    rng = random.Random(3)
    found = [nonsense.sample_nonsense(rng) for _ in range(2000)]
    rows = [(n.nonsense, n.sense) if i % 2 else (n.sense, n.nonsense) for i, n in enumerate(found)]
    firsts = [a.split()[0] for a, _ in rows]
    assert _guessing([" ".join((f, f)) for f in firsts], [str(i % 2) for i in range(2000)]) < 0.56


def test_nonsense_reasons_hold_in_the_tables():
    rng = random.Random(5)
    for _ in range(2000):
        found = nonsense.sample_nonsense(rng)
        assert found.sense != found.nonsense
        if found.topic == "able":
            animal = found.reason.split()[1]
            deed = found.reason.split(" cannot ")[1]
            assert animal in world.UNABLE[deed]
            assert animal not in world.ABLE[deed]
