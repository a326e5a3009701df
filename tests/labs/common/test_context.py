"""What every lab gets from its context: progress, stops, and requests that are checked."""

import pytest

from peftcore.errors import BadInput
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.toys.request import ToyJob, ToyRequest


@pytest.fixture
def job():
    return ToyJob.create_own(ToyRequest.make({"size": "quick", "seeds": 1}))


def test_a_lab_writes_a_function_and_its_job_is_carried_out(job):
    statuses = []

    def compute(context):
        context.total = 3
        for part in (1, 2, 3):
            context.done = part
            context.report_progress(f"Part {part}")

    status = run_job(LabContext, compute, job, report=statuses.append)
    assert (status.state, status.done, status.of) == ("done", 3, 3)
    assert [each.message for each in statuses] == ["Part 1", "Part 2", "Part 3"]
    assert {each.state for each in statuses} == {"running"}


def test_a_stop_is_obeyed_at_the_next_report_and_time_adds_up(job):
    def compute(context):
        context.done += 1
        context.report_progress()
        raise AssertionError("a stop was requested")

    first = run_job(LabContext, compute, job, stop=lambda: True)
    assert (first.state, first.done) == ("cancelled", 1)
    assert LabContext(job).seconds_before == first.seconds


def test_a_wrong_number_of_runs_is_named_before_any_is_opened(job):
    context = LabContext(job)
    context.require_runs(0)
    with pytest.raises(BadInput, match="this takes 2 runs; got 0"):
        context.require_runs(2)
    with pytest.raises(BadInput, match="this takes 1 run; got 0"):
        context.require_runs(1)


def test_what_an_older_adapter_gave_is_forgotten(job):
    job.append_value({"what": "loss", "stage": "x", "step": 1, "values": [1.0]})
    job.write_plan({"adapters": []}, [])
    LabContext(job).clear_if_stale()  # no run, so no adapter that could have changed
    assert len(job.entries()) == 1
    job.write_plan({"adapters": ["0" * 12]}, [])
    LabContext(job).clear_if_stale()
    assert job.entries() == []
