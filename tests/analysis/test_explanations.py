"""Flags on explanations: each fires on what it is for, and not on sound explanations."""

import pandas as pd
import pytest

from peftcore.analysis import explanations
from peftcore.analysis.explanations import FLAGS, ExplainedAnswer, LabelReader, find_flags
from peftcore.paths import ASSETS

SOUND = ExplainedAnswer(
    "premise: a cat sleeps",
    "entailment because a cat is an animal",
    "entailment",
    "a cat is an animal",
)


def explained(
    explanation, text=None, label="entailment", source="premise: a cat sleeps on the mat"
):
    written = f"{label} because {explanation}" if text is None else text
    return ExplainedAnswer(source, written, label, explanation)


def test_a_sound_explanation_raises_nothing():
    assert find_flags(SOUND, limit=32) == []


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (explained(None, "entailment"), ["unexplained"]),
        (explained(None, "", None), ["unread", "empty"]),
        (explained("", "entailment because"), ["empty"]),
        (explained(" . !"), ["empty"]),
        (explained("a cat"), ["short"]),
        (explained("a cat sleeps on the mat"), ["copied"]),
        (explained("a cat is an animal", label=None, text="entvest because a cat"), ["unread"]),
        (explained("metal metal metal is hard"), ["repeats"]),
        (explained("there are four there are four there are four of them"), ["repeats"]),
        (explained(None, "contrrrrrrrrr", None), ["unread", "unexplained", "repeats"]),
    ],
)
def test_each_fault_raises_its_flag_and_no_other(one, expected):
    assert find_flags(one, limit=32) == expected


def test_a_word_said_twice_and_numbers_are_no_repetition():
    assert not explanations.has_repetition("driving at the market is driving")
    assert not explanations.has_repetition("that that is so, and 10000000 is a number")


def test_a_passage_is_a_copy_only_if_it_is_most_of_what_is_said():
    source = explanations.split_words("a cat sleeps on the mat")
    assert explanations.longest_run(["sleeps", "on", "the", "sofa"], source) == 3
    mixed = explanations.split_words("whoever sleeps on the mat rests there")
    assert not explanations.is_copied(mixed, source)
    assert explanations.is_copied(["sleeps", "on", "the", "mat"], source)


def test_an_answer_as_long_as_it_may_be_runs_to_the_limit():
    long = ExplainedAnswer("x", "yes because it is so", "yes", "it is so", tokens=31)
    assert find_flags(long, limit=32) == ["endless"]
    assert (
        find_flags(ExplainedAnswer("x", "yes because it is so", "yes", "it is so", 30), limit=32)
        == []
    )
    assert find_flags(long, limit=None) == []


def reader(count=12):
    gold = [("neutral", f"not every animal is a cat{n}") for n in range(count)]
    gold += [("entailment", f"a cat{n} is an animal") for n in range(count)]
    order = [n for n in range(count) for n in (n, count + n, count + n, n)]
    return LabelReader.learn(gold[n] for n in order)


def test_an_explanation_worded_like_another_labels_contradicts_its_own():
    learnt = reader()
    odd = explained("not every animal is a dog", label="entailment")
    assert find_flags(odd, reader=learnt) == ["contradicts"]
    assert find_flags(explained("not every animal is a dog", label="neutral"), reader=learnt) == []
    assert find_flags(odd) == []  # without a reader nobody can tell


def test_a_label_that_was_never_explained_contradicts_nothing():
    assert not reader().contradicts(["not", "every", "animal"], "other")


def test_labels_that_wording_does_not_tell_have_no_reader():
    same = [(f"choice{n % 2}", "a stone cannot swim") for n in range(40)]
    assert LabelReader.learn(same) is None
    assert LabelReader.learn([("one", "a stone cannot swim")] * 20) is None


def test_shares_are_of_answers_and_count_those_without_a_flag():
    table = explanations.flag_table(
        [SOUND, explained("a cat"), explained("", "x", None), SOUND], None, None
    )
    found = explanations.flag_shares(table)
    assert [found[name] for name in ("short", "empty", "unread", "sound")] == [
        0.25,
        0.25,
        0.25,
        0.5,
    ]
    assert set(found) == {*FLAGS, "sound"}


def test_no_answers_are_a_table_without_rows():
    assert list(explanations.flag_table([], None, None).columns) == list(FLAGS)


def test_published_runs_that_explain_nothing_stand_at_one_ratio():
    found = explanations.score_ratios(pd.read_csv(ASSETS / "reported.csv"))
    silent = found[found["where"].str.contains("no explanation learnt") & (found.task == "esnli")]
    assert len(silent) == 2
    assert silent["ratio"].to_list() == pytest.approx([0.833, 0.833], abs=5e-4)
    assert silent["accuracy"].max() > 86
