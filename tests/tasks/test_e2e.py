"""E2E reads slots, keeps training texts apart and groups the others to score them."""

import pytest

from peftcore import tasks
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.e2e import E2E

ROWS = [
    {"meaning_representation": meaning, "human_reference": text}
    for meaning, text in [
        ("name[Oak], food[pies]", "Oak sells pies."),
        ("name[Elm]", "There is a place called Elm."),
        ("name[Oak], food[pies]", "You get pies at the Oak."),
    ]
]


def test_training_rows_stay_apart(invented):
    invented("e2e_nlg", train=ROWS)
    rows = E2E().load("train")
    assert [row.target for row in rows] == [row["human_reference"] for row in ROWS]
    assert rows[0].source == "describe: name[Oak], food[pies]"
    assert len({row.id for row in rows}) == 3


@pytest.mark.parametrize("split", ["validation", "test"])
def test_texts_of_a_meaning_are_grouped_to_score(invented, split):
    invented("e2e_nlg", **{split: ROWS})
    rows = E2E().load(split)
    assert [row.references for row in rows] == [
        ("Oak sells pies.", "You get pies at the Oak."),
        ("There is a place called Elm.",),
    ]
    answers = [Answer(row.references[-1]) for row in rows]
    full = {"bleu": 100, "chrf": 100, "ter": 0, "rougeL": 1}
    assert E2E().score(answers, rows) == pytest.approx(full)


def test_rows_without_a_text_are_listed(invented):
    invented("e2e_nlg", train=[ROWS[0], {"meaning_representation": "name[Elm]"}])
    with pytest.raises(BadInput, match="line 2: field 'human_reference' is missing"):
        E2E().load("train")


def test_missing_data_say_what_to_do(invented):
    with pytest.raises(BadInput, match="set PEFTCORE_DATA or --data"):
        tasks.find_task("e2e_nlg").load("train")


def test_real_rows(real):
    real("e2e_nlg")
    task = E2E()
    train, test = task.load("train"), task.load("test")
    assert not {row.source for row in train} & {row.source for row in test}
    assert all(row.source.startswith("describe: name[") for row in train + test)
    assert len({row.source for row in test}) == len(test)
    assert max(len(row.references) for row in test) > 1
    assert len(task.few_shot(48, 0, 48).train) == 48
    some = test[:10]
    assert task.score([Answer(row.references[0]) for row in some], some)["bleu"] > 99
