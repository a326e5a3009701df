"""Tasks in words."""

import pytest

from peftcore import tasks
from peftcore.data.wording import NONSENSE, Wording, same_meaning


def test_texts_have_their_titles_or_the_names_of_the_data_or_numbers():
    assert NONSENSE.text_titles(2, ["text", "text"]) == ("Sentence 1", "Sentence 2")
    assert Wording().text_titles(2, ["premise", "hypothesis"]) == ("Premise", "Hypothesis")
    assert Wording().text_titles(2, ["text", "text"]) == ("Text 1", "Text 2")
    assert Wording().text_titles(1) == ("Text",)
    assert NONSENSE.text_titles(1, ["text"]) == ("Text",)
    assert Wording().text_titles(0) == ()


def test_codes_have_titles_and_other_labels_read_as_they_are():
    assert NONSENSE.label_title("choice2") == "Sentence 2"
    assert Wording().label_title("not_entailment") == "not entailment"
    assert same_meaning("question").question == "Do both questions mean the same?"


@pytest.mark.parametrize("name", tasks.task_names())
def test_every_task_says_what_it_asks_about_which_texts(name):
    task = tasks.find_task(name)
    assert task.question_in_words().endswith("?")
    assert set(task.wording.labels) <= set(task.labels)
    if task.labels and not task.downloaded:
        assert len(task.wording.texts) in (0, len(task.load("test")[0].parts))


def test_a_task_that_is_gone_is_worded_by_defaults():
    assert tasks.find_wording("no such task") == Wording()
