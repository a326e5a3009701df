"""Templates: the same texts asked in other words; data, labels and ids of runs stay."""

import pytest

from peftcore import tasks
from peftcore.data.templates import find_template, offered_templates, with_template
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.training.planning import build_spec

TASK = "miniworld_nli"


def test_a_task_offers_templates_of_its_own_words_and_takes_any_other():
    task = tasks.find_task(TASK)
    row = task.load("test")[0]
    offered = offered_templates(task)
    assert list(offered) == ["question first", "question last", "texts alone"]
    phrased = with_template(task, find_template(task, "question first")).load("test")[0]
    assert phrased.source == (
        f"{task.wording.question} premise: {row.parts[0]} hypothesis: {row.parts[1]}"
    )
    assert (phrased.id, phrased.target, phrased.parts) == (row.id, row.target, row.parts)
    alone = with_template(task, "does {2} hold?")  # what can be answered without the premise
    assert alone.load("test")[0].source == f"does {row.parts[1]} hold?"
    assert alone.data_hash() == task.data_hash()
    assert [one.id for one in alone.few_shot(6, 0, 3).train] == [
        one.id for one in task.few_shot(6, 0, 3).train
    ]
    assert with_template(task, "") is task


def test_a_spec_keeps_the_text_of_its_template_and_its_id_without_one():
    made = lambda **training: build_spec("tiny-t5", TASK, "lora", training=training)
    named = made(template="texts alone")
    assert named.training.template == "{1} {2}"
    assert named.id == made(template=" {1}  {2} ").id != made().id
    assert made(template="").id == made().id
    assert tasks.task_of(named).load("test")[0].source == " ".join(
        tasks.find_task(TASK).load("test")[0].parts
    )
    before = RunSpec.model_fields["training"].annotation.ALWAYS_HASHED
    assert not {"template", "explanations"} & before
    assert (
        build_spec(
            "tiny-bert", TASK, "lora", training={"template": "texts alone"}
        ).training.template
        == ""
    )  # an encoder reads the texts


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("question frist", "question first"),
        ("{3}", r"to \{2\}"),
        ("{1}" + "a" * 400, "at most 400"),
    ],
)
def test_templates_that_cannot_be_are_refused(text, why):
    with pytest.raises(BadInput, match=why):
        find_template(tasks.find_task(TASK), text)
