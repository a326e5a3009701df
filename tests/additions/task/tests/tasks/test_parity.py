from peftcore.tasks.parity import Parity

from peftcore.data.task import Answer


def test_labels_are_the_parity_of_the_ones():
    for row in Parity().load("train"):
        assert row.label == ("odd" if row.parts[0].count("1") % 2 else "even")


def test_gold_answers_score_one():
    rows = Parity().load("test")
    assert Parity().score([Answer(row.target, row.label) for row in rows], rows)["accuracy"] == 1
