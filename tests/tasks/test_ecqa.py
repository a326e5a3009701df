"""ECQA: the label is the text of an answer, the explanation what speaks for it."""

import pytest

from peftcore import tasks
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.ecqa import ECQA, in_favour

ROW = {
    "q_text": "Where do  Bees live?",
    **{f"q_op{n}": text for n, text in enumerate(["Hive", "sea", "A box", "bank", "sea"], 1)},
    "q_ans": "A box",
    "taskA_pos": "Bees live in a Box\nA box is a home.",
    "taskA_neg": "The sea is wet",
    "taskB": "…",
}


def test_the_template_lists_the_answers_in_lower_case(invented):
    invented("ecqa", train=[ROW])
    (row,) = ECQA().load("train")
    assert row.source == (
        r"explain where do bees live? \n (A) hive (B) sea (C) a box (D) bank (E) sea"
    )
    assert row.target == "a box because bees live in a box. a box is a home."
    assert row.label == "a box"
    assert row.references == ("Bees live in a Box. A box is a home.",)


@pytest.mark.parametrize(
    ("statements", "text"),
    [("a.\nb", "a. b."), ("a\n\n b. ", "a. b."), ("a", "a."), (" \n", "")],
)
def test_statements_become_sentences(statements, text):
    assert in_favour(statements) == text


def test_labels_are_open_and_only_the_right_answer_is_right(invented):
    invented("ecqa", test=[ROW] * 4)
    task = ECQA()
    rows = task.load("test")
    texts = ["A  box because it is.", "hive because it is.", "a box", ""]
    answers = [task.parse(text) for text in texts]
    assert [answer.label for answer in answers] == ["a box", "hive", "a box", None]
    scores = task.score(answers, rows)
    assert (scores["accuracy"], scores["broken"], scores["unexplained"]) == (0.5, 0.5, 0.5)
    assert not {"f1", "matthews"} & scores.keys()  # there are no classes to average over


def test_an_answer_that_is_not_listed_is_refused(invented):
    invented("ecqa", test=[ROW | {"q_ans": "nowhere"}])
    with pytest.raises(BadInput, match="ecqa test-0: the answer 'nowhere' is none of"):
        ECQA().load("test")


def test_encoders_are_told_that_text_is_asked_for(monkeypatch):
    from peftcore.training import planning

    with pytest.raises(BadInput, match="reads but cannot write"):
        planning.build_spec("tiny-bert", "ecqa", "bitfit")


def test_real_episodes_have_the_sizes_of_the_benchmark(real):
    real("ecqa")
    task = tasks.find_task("ecqa")
    episode = task.episode(3)
    assert (len(episode.train), len(episode.dev)) == (48, 350)
    rows = task.load("test")[:20]
    scores = task.score([task.parse(row.target) for row in rows], rows)
    assert (scores["accuracy"], scores["broken"]) == (1, 0)
    assert scores["ratio_chrf"] > 99
    assert task.score([Answer("")] * 20, rows)["accuracy"] == 0
