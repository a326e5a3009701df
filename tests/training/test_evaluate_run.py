"""Rows phrased anew, and who may answer them."""

import pytest

from peftcore import tasks
from peftcore.data import templates
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.training import evaluate_run
from peftcore.training.planning import build_spec


def test_a_template_names_texts_that_are_there():
    rows = [Example("1", "a b", "yes", parts=("a", "b"))]
    assert templates.phrase(rows, "{2} then {1}")[0].source == "b then a"
    assert templates.phrase(rows, " ") == rows
    for template in ("{3}", "no text", "{0}"):
        with pytest.raises(BadInput, match=r"\{1\} to \{2\}"):
            templates.phrase(rows, template)


def test_only_a_head_is_bound_to_its_labels():
    spec = build_spec("tiny-t5", "miniworld_nli", "lora")
    other = tasks.find_task("miniworld_sentiment")
    evaluate_run.check_task(spec, other, "decoder")  # which writes any label
    evaluate_run.check_task(spec, tasks.find_task("miniworld_nli"), "encoder")
    with pytest.raises(BadInput, match="not of miniworld_sentiment"):
        evaluate_run.check_task(spec, other, "encoder")
