import json

import pytest
from support.ratings import ME

from peftcore import rating
from peftcore.analysis import agreement
from peftcore.errors import BadInput
from peftcore.rating import ratings_import

LONG = """item,rater,verdict,method,label,shortcomings,seconds,comment
q1,ann,yes,lora,entailment,,4.5,fine
q1,bob,weak_no,lora,entailment,"trivial;incomplete",7,
q2,ann,0.33,spt,neutral,none,3,
q2,bob,No,spt,neutral,,2,
"""


@pytest.fixture
def book(home):
    return rating.RatingStore()


def feb(gold_first, answers, questions=("17", "23")):
    """A result file of the benchmark with two questions a form, as many forms as answers."""
    heads = [
        *(f"Input.{h}" for k in (1, 2) for h in (f"question_{k}_i", f"question_{k}_j")),
        *(f"Input.explanation_{k}_{side}" for k in (1, 2) for side in "ij"),
        *(f"Input.{k}_{end}" for k in (1, 2) for end in ("gt_idx", "ques_id")),
        *(f"Input.gt_{k}" for k in (1, 2)),
        *(f"Answer.{k}-e{n}" for k in (1, 2) for n in (1, 2)),
        *(f"Answer.c{k}" for k in (1, 2)),
    ]
    lines = [",".join(heads)]
    for form in answers:
        cells = ["p1", "h1", "p2", "h2", "e1i", "e1j", "e2i", "e2j"]
        cells += [gold_first[0], questions[0], gold_first[1], questions[1], "0", "2"]
        lines.append(",".join([*cells, *form, "0", "1"]))
    return "\n".join(lines)


def test_a_long_table_becomes_a_closed_project(book):
    made = ratings_import.import_table(book, ME, LONG, "Elsewhere")
    assert (made.open, made.settings.overlap, made.facts["imported"]) == (False, 2, 4)
    scored = rating.scored_table(book, ME, made.id)
    assert list(scored["score"]) == pytest.approx([1, 1 / 3, 1 / 3, 0])
    assert list(scored["method"]) == ["lora", "lora", "spt", "spt"]
    assert list(scored["name"]) == ["ann", "bob", "ann", "bob"]
    assert list(scored["seconds"]) == [4.5, 7, 3, 2]
    assert scored["shortcomings"][1] == ["trivial", "incomplete"]
    assert scored["comment"][0] == "fine"


def test_lines_of_json_read_like_a_table(book):
    rows = [{"item": 1, "rater": "ann", "verdict": 1}, {"item": 1, "rater": "bob", "verdict": 0}]
    text = "\ufeff" + "\n".join(json.dumps(row) for row in rows)
    made = ratings_import.import_table(book, ME, text, "Lines", method="mine")
    assert list(rating.scored_table(book, ME, made.id)["score"]) == [1, 0]
    assert set(rating.origin_table(book, ME, made.id)["method"]) == {"mine"}


def test_forms_of_the_benchmark_are_taken_apart(book):
    """Gold is first in question 17 and second in 23; three forms are three raters of each."""
    text = feb(
        "01",
        [("yes", "no", "w_no", "yes"), ("w_yes", "no", "no", "yes")] * 1
        + [("yes", "w_no", "yes", "no")],
    )
    made = ratings_import.import_table(book, ME, text, "FEB", method="t5-large")
    scored = rating.scored_table(book, ME, made.id)
    means = scored.groupby("method")["score"].mean()
    # gold: 1, 2/3, 1 of question 17 and 1, 1, 0 of 23; model: 0, 0, 1/3 and 1/3, 0, 1
    assert means["gold"] == pytest.approx((1 + 2 / 3 + 1 + 1 + 1 + 0) / 6)
    assert means["t5-large"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 3 + 0 + 1) / 6)
    key = rating.origin_table(book, ME, made.id)
    texts = {(row["method"], row["explanation"]) for row in key.to_dict("records")}
    assert texts == {("gold", "e1i"), ("t5-large", "e1j"), ("gold", "e2j"), ("t5-large", "e2i")}
    assert list(scored[scored["method"] == "gold"]["answer_correct"]) == [True, False] * 3


def test_the_benchmarks_agreement_follows_from_an_import(book):
    """Of four items two are unanimous when collapsed: (4 · 1/2 - 1) / 3."""
    text = feb(
        "00",
        [("yes", "no", "yes", "no"), ("w_yes", "w_no", "no", "w_no"), ("yes", "yes", "yes", "no")],
    )
    made = ratings_import.import_table(book, ME, text, "FEB")
    scored = rating.verdict_table(book, ME, made.id)
    table = agreement.pivot_verdicts(scored, item="item", rater="rater", verdict="verdict")
    both = agreement.merge_categories(table, {v: v.removeprefix("weak ") for v in rating.VERDICTS})
    found = {c.name: c.value for c in agreement.agreement_statistics(both, ["yes", "no"])}
    assert found["Share of unanimous items"] == pytest.approx(0.5)
    assert found["Uniform kappa (Randolph)"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("item,rater\na,b\n", "row 1 has no 'verdict'"),
        ("item,rater,verdict\na,b,maybe\n", "no verdict 'maybe'"),
        ("item,rater,verdict\na,b,0.5\n", "1, 0.67, 0.33 or 0; got '0.5'"),
        ("item,rater,verdict\na,b,nan\n", "got 'nan'"),
        ("item,rater,verdict\na,b,yes,extra\n", "row 1 does not fit"),
        ("item,rater,verdict\na,b,yes\na,b,no\n", "two verdicts of one rater"),
        ("item,rater,verdict,seconds\na,b,yes,-1\n", "seconds must be"),
        ("item,rater,verdict,shortcomings\na,b,yes,bad\n", "no shortcoming 'bad'"),
        ("item,rater,verdict\na,b," + "x" * 20_001, "more than 20000 characters"),
        ('{"item": 1\n', "neither CSV nor JSON"),
        ("Input.1_ques_id,Input.1_gt_idx\n5,7\n", "must be 0 or 1; got '7'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(book, text, message):
    with pytest.raises(BadInput, match=message):
        ratings_import.import_table(book, ME, text, "x")


def test_importing_is_not_for_raters(book):
    with pytest.raises(rating.NotAllowed):
        ratings_import.import_table(book, rating.RatingUser("rater", "Ann", "r", "p"), LONG, "x")
