"""Names, notes and tags lie beside a run and decide nothing."""

import pytest
from support.runs import make_run

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.annotation import annotate, annotation_file, change_tags, read_annotation
from peftcore.runs.store import RunStore


def test_words_are_kept_beside_a_run_and_leave_its_id_alone():
    run = make_run("lora")
    annotate(run, name="  first \n try ", note="why not", archived=True)
    change_tags(run, add=["good", " good ", "sweep 2"], remove=["none"])
    found = read_annotation(RunStore().open(run.id))
    assert (found.name, found.note, found.archived) == ("first try", "why not", True)
    assert found.tags == ("good", "sweep 2")
    assert RunStore().open(run.id).spec.id == run.id
    assert annotation_file(run).parent == run.folder
    run.reset()
    assert read_annotation(run).name == "first try"


def test_what_is_written_to_a_run_that_ships_lies_in_the_workspace():
    run = next(run for run in RunStore().all() if run.demo)
    change_tags(run, add=["look"])
    assert read_annotation(run).tags == ("look",)
    assert annotation_file(run).is_relative_to(paths.workspace_folder())


@pytest.mark.parametrize("values", [{"tags": ["a,b"]}, {"tags": ["x" * 41]}, {"name": "x" * 81}])
def test_what_is_too_long_or_cannot_be_a_tag_is_refused(values):
    with pytest.raises(BadInput):
        annotate(make_run("lora"), **values)


def test_a_damaged_file_counts_as_nothing_written():
    run = make_run("lora")
    annotate(run, name="x")
    annotation_file(run).write_text('{"name": 7, "tags": "no"}')
    assert read_annotation(run).name == ""
