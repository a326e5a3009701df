"""Agreement question by question, against tables worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from support import ratings as rated

from peftcore import rating
from peftcore.analysis import agreement
from peftcore.errors import BadInput
from peftcore.rating import questions

# Three items, two raters.  Coincidences of `justifies`: 1 and 2 meet four times, 3 meets itself
# twice, so each of 1, 2, 3 was given twice, n = 6.
STEPS = {
    "justifies": [(1, 2), (2, 1), (3, 3)],
    "makes_sense": [(4, 4), (4, 4), (4, 4)],
    "new_information": [(1, 5), (1, 5), (1, 5)],
    "fluent": [(1, 1), (5, 5), (1, 1)],
}


def rows(**columns):
    return pd.DataFrame(
        {"item": list("aabbcc"), "rater": list("xyxyxy")}
        | {name: [step for pair in pairs for step in pair] for name, pairs in columns.items()}
    )


def measured(question, verdicts=None):
    verdicts = rows(**STEPS) if verdicts is None else verdicts
    words, order = questions.verdict_categories(verdicts, "likert", question)
    table = agreement.pivot_verdicts(
        verdicts.assign(category=words), item="item", rater="rater", verdict="category"
    )
    found = agreement.agreement_statistics(table, order)
    return {each.name: each for each in found}, agreement.cohen_kappas(table, order)


def test_a_hand_made_table_of_one_dimension():
    found, pairs = measured("justifies")
    values = {name: each.value for name, each in found.items()}
    assert values == pytest.approx(
        {
            "Share of unanimous items": 1 / 3,
            "Uniform kappa (Randolph)": (1 / 3 - 1 / 5) / (1 - 1 / 5),
            "Fleiss' kappa": 0.0,  # a third agree, and three equal shares agree a third by chance
            # 4 of 6 coincidences differ; by chance (36 - 12) / (6 * 5) would.
            "Krippendorff's alpha, nominal": 1 - (4 / 6) / (24 / 30),
            # Ranks 1, 2, 3 lie 2, 2 and 4 verdicts apart: 4 * 2² = 16 seen, and by chance
            # (2 * 2 * (2² + 2² + 4²) * 2) / (6 - 1) = 192 / 5.
            "Krippendorff's alpha, ordinal": 1 - 16 / (192 / 5),
        }
    )
    # 2/3 of a step apart where independent raters of these shares would be 8/9.
    assert pairs["value"].tolist() == [pytest.approx(1 - (2 / 3) / (8 / 9))]
    limits = [(each.low, each.value, each.high) for each in found.values()]
    assert all(low <= value <= high for low, value, high in limits)


def test_one_step_throughout_is_explained_for_that_dimension_alone():
    """Case A20 (statsmodels#4387)."""
    found, pairs = measured("makes_sense")
    assert found["Share of unanimous items"].value == 1
    for name in ("Fleiss' kappa", "Krippendorff's alpha, ordinal"):
        assert found[name].value is None
        assert "same category" in found[name].reason
    assert "same category" in pairs["reason"][0]
    assert measured("fluent")[0]["Krippendorff's alpha, ordinal"].value == pytest.approx(1)


def test_raters_who_always_differ_agree_less_than_chance():
    found, pairs = measured("new_information")
    # Every coincidence is of 1 and 5; by chance 18 of 30 ordered pairs are.
    assert found["Krippendorff's alpha, ordinal"].value == pytest.approx(1 - 1 / (18 / 30))
    assert found["Uniform kappa (Randolph)"].value == pytest.approx(-1 / 4)
    assert pairs["value"].tolist() == [pytest.approx(0)]  # as far apart as their shares force them


def test_a_dimension_of_a_single_rater_has_no_agreement():
    verdicts = rows(**STEPS).drop_duplicates("item")
    found, pairs = measured("fluent", verdicts)
    assert {each.value for each in found.values()} == {None}
    assert all("two raters" in each.reason for each in found.values())
    assert pairs.empty


def test_the_widest_dimension_counts_and_opposite_views_do_not_cancel():
    verdicts = rows(
        justifies=[(1, 5), (2, 3), (4, 4)],
        makes_sense=[(5, 1), (3, 3), (4, 4)],
        new_information=[(3, 3), (1, 4), (4, 4)],
        fluent=[(3, 3), (3, 3), (4, 4)],
    )
    found = questions.verdict_spread(verdicts, "likert")
    assert found.to_dict("records") == [
        {"item": "a", "spread": 1.0, "verdicts": 2, "about": "justifies"},
        {"item": "b", "spread": 0.75, "verdicts": 2, "about": "new_information"},
        {"item": "c", "spread": 0.0, "verdicts": 2, "about": "justifies"},
    ]
    named = questions.verdict_spread(verdicts, "likert", "makes_sense")
    assert dict(zip(named["item"], named["spread"], strict=True)) == {"a": 1, "b": 0, "c": 0}
    with pytest.raises(BadInput, match="dimension"):
        questions.verdict_spread(verdicts, "likert", "wit")


def test_four_points_spread_by_their_numbers_and_pairs_by_who_won():
    verdicts = pd.DataFrame({"item": ["a", "a", "b"], "score": [1.0, 1 / 3, 0.0]})
    assert questions.verdict_spread(verdicts, "single")[["item", "spread"]].to_numpy().tolist() == [
        ["a", pytest.approx(2 / 3)]
    ]
    pairs = pd.DataFrame(
        {
            "item": ["a", "a", "b", "b"],
            "verdict": ["left", "left", "left", "right"],
            "flipped": [False, True, False, True],
        }
    )
    assert questions.pairwise_outcomes(pairs).tolist() == ["first", "second", "first", "first"]
    assert questions.verdict_spread(pairs, "pairwise")["spread"].tolist() == [1, 0]
    words, order = questions.verdict_categories(
        pd.DataFrame({"verdict": ["weak no", "yes"]}), "single", questions.TWO_CLASSES
    )
    assert (words.tolist(), order) == (["no", "yes"], ["yes", "no"])
    with pytest.raises(BadInput, match="question"):
        questions.verdict_categories(pairs, "pairwise", "fluent")


@pytest.mark.parametrize("mode", ["single", "pairwise", "likert"])
def test_nobody_yet_is_an_empty_table(mode, home):
    book = rating.RatingStore()
    items = [rated.pair(0)] if mode == "pairwise" else 1
    project = rated.project(book, items, mode=mode)
    verdicts = rating.verdict_table(book, rated.ME, project.id)
    assert questions.verdict_spread(verdicts, mode).empty
    assert np.all(
        [
            questions.verdict_categories(verdicts, mode, q)[0].empty
            for q in questions.QUESTIONS_BY_MODE[mode]
        ]
    )


def test_a_settled_item_says_every_dimension(home):
    from peftcore.rating import export

    book = rating.RatingStore()
    project = rated.project(book, 1, mode="likert")
    steps = dict(zip(rating.DIMENSIONS, (5, 1, 3, 4), strict=True))
    rated.rate_all(book, rated.rater(book, project), "", scales=steps)
    (item,) = rating.item_table(book, rated.ME, project.id)["item"]
    rating.adjudicate(book, rated.ME, item, rating.Judgement(scales=steps, comment="read aloud"))
    (row,) = rating.adjudication_table(book, rated.ME, project.id).to_dict("records")
    assert rating.steps_in_words(row) == "justifies 5, makes sense 1, new information 3, fluent 4"
    assert row["score"] == pytest.approx((13 / 4 - 1) / 4)
    assert export.export_rows(book, rated.ME, project.id)[0]["adjudicated"] == steps
    with pytest.raises(BadInput, match="missing: makes_sense"):
        rating.adjudicate(book, rated.ME, item, rating.Judgement(scales={"justifies": 1}))
