"""Requests say what is added under which name; their commands are those of the command line."""

import pytest

from peftcore.errors import BadInput
from peftcore.intake.request import IntakeJob, IntakeRequest, QualityJob, QualityRequest
from peftcore.jobs.background import job_kinds


def request(source="smollm2-135m", name="mine", **more):
    return IntakeRequest.make({"source": source, "name": name} | more)


def test_kinds_of_sources_are_told_apart(tmp_path):
    (tmp_path / "x.gguf").touch()
    kinds = {
        "smollm2-135m": "known",
        "incoming/x.gguf": "incoming",
        str(tmp_path / "x.gguf"): "file",
        str(tmp_path): "folder",
        f"owner/name@{'0' * 40}": "hub",
    }
    assert {source: request(source).source_kind for source in kinds} == kinds
    for wrong in ("owner/name", "owner/name@main", "x", "../../etc/passwd"):
        with pytest.raises(BadInput, match="no known base"):
            _ = request(wrong).source_kind


@pytest.mark.parametrize(
    "name", ["", "a", "../x", "a/b", ".adding-x", "A", "incoming", "a" * 65, "x y"]
)
def test_a_name_is_that_of_a_plain_folder(name):
    with pytest.raises(BadInput, match="a name has 2 to 64 small letters"):
        request(name=name)


def test_the_command_does_the_same_as_the_job():
    assert request(file="/f.whl").command_arguments() == [
        *("models", "add", "smollm2-135m", "--name", "mine", "--from", "/f.whl")
    ]
    assert QualityRequest.make({"base": "b"}).command_arguments() == ["models", "measure", "b"]
    more = QualityRequest.make({"base": "b", "pairs": 5}).command_arguments()
    assert more == ["models", "measure", "b", "--pairs", "5"]


def test_both_are_kinds_of_jobs_and_their_ids_differ():
    assert job_kinds()["intake"] is IntakeJob
    assert job_kinds()["quality"] is QualityJob
    assert request().id != request(name="other").id


def test_what_was_done_counts_for_nothing_once_the_base_is_gone():
    job = IntakeJob.create(request())
    job.write_status(state="done")
    job.reset_if_removed()
    assert job.status().state == "cancelled"
    measured = QualityJob.create(QualityRequest.make({"base": "tiny-gpt"}))
    measured.write_status(state="done")
    measured.reset_if_lost()
    assert measured.status().state == "cancelled"
