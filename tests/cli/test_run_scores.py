"""Scores of a run with their intervals."""

from support.commands import train


def test_one_seed_has_no_interval(models, home):
    accuracy = train("lora", "--seeds", "1")["scores"]["accuracy"]
    assert (accuracy["low"], accuracy["high"]) == (None, None)
    assert accuracy["mean"] == accuracy["seeds"][0]
