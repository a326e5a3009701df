"""What raters may say, and the numbers of their words."""

import pytest

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import scales


@pytest.mark.parametrize(
    ("mode", "judgement", "message"),
    [
        ("single", {"verdict": "yess"}, "did you mean 'yes'"),
        ("single", {"verdict": "yes", "shortcomings": ["wrong"]}, "no shortcoming 'wrong'"),
        ("pairwise", {"verdict": "yes"}, "known: left, right, tie"),
        ("likert", {"scales": {"fluent": 3}}, "missing: justifies, makes_sense, new_information"),
        ("likert", {"scales": dict.fromkeys(rating.DIMENSIONS, 6)}, r"must lie in \[1, 5\]; got 6"),
    ],
)
def test_a_judgement_that_the_mode_does_not_know_is_refused(mode, judgement, message):
    with pytest.raises(BadInput, match=message):
        scales.check_judgement(rating.Judgement(**judgement), mode)


def test_the_four_points_are_those_of_the_benchmark():
    scores = [scales.judgement_score({"verdict": verdict}, "single") for verdict in scales.VERDICTS]
    assert scores == [1, 2 / 3, 1 / 3, 0]
    four = {"scales": dict.fromkeys(rating.DIMENSIONS, 4)}
    assert (scales.judgement_score(four, "likert"), scales.judgement_word(four, "likert")) == (
        0.75,
        "4.0",
    )
    assert scales.judgement_score({"verdict": "tie"}, "pairwise") is None
