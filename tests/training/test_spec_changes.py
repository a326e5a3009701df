"""A spec is read from a file, changed, and compared with what it was."""

import json

import pytest

from peftcore.errors import BadInput
from peftcore.training.planning import build_spec
from peftcore.training.spec_changes import Change, changes_between, read_spec, vary_spec

SPEC = build_spec("tiny-t5", "miniworld_nli", "lora", {"rank": 4})


def test_changes_are_named_and_nothing_else_moves():
    changed = vary_spec(SPEC, {"settings": {"rank": 8}, "training": {"steps": 60}})
    assert changes_between(SPEC, changed) == [
        Change("settings.rank", 4, 8),
        Change("training.steps", 200, 60),
    ]
    assert vary_spec(SPEC, {}).id == SPEC.id


def test_a_setting_that_came_later_is_no_change():
    older = SPEC.model_copy(update={"settings": {"rank": 4}})
    assert changes_between(older, SPEC) == []


def test_another_method_is_one_change_and_not_a_list_of_its_settings():
    other = build_spec("tiny-t5", "miniworld_nli", "prefix_tuning")
    names = [change.name for change in changes_between(SPEC, other)]
    assert names[0] == "method"
    assert not any(name.startswith("settings.") for name in names)


def test_a_spec_survives_the_file():
    assert read_spec(json.dumps(SPEC.model_dump(mode="json"))) == SPEC


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "holds no JSON"),
        ("[1]", "holds no spec"),
        ("{}", "base"),
        ('{"base": "b", "task": "t", "method": "m", "tasks": 1}', "tasks"),
        ("[" * 100_000, "holds no JSON"),
        (" " * 1_000_001, "some kilobytes"),
    ],
)
def test_other_files_are_refused_with_the_reason(text, reason):
    with pytest.raises(BadInput, match=reason):
        read_spec(text)
