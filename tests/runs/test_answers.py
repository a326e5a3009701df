"""The table of answers has a row for each seed's answer, and knows where there is no label."""

from peftcore.data.task import Answer, Example
from peftcore.runs.answers import answers_table


def test_a_row_says_what_was_asked_and_answered_and_whether_it_is_right():
    rows = [Example("a", "in a", "yes", "yes"), Example("b", "in b", "words")]
    answers = [Answer("no because", "no", "because"), Answer("other words")]
    table = answers_table(rows, answers, 3)
    assert list(table["seed"]) == [3, 3]
    assert list(table["example"]) == ["a", "b"]
    assert list(table["text"]) == ["no because", "other words"]
    assert table["correct"][0] == False  # noqa: E712  (pandas' own)
    assert table["correct"].isna()[1]
