"""What ships as first pictures is what would be measured, is small, and is of shipped runs only."""

from dataclasses import replace

import numpy as np
import pytest

from peftcore import tasks
from peftcore.labs.attention import first_pictures, record_first_pictures
from peftcore.models import base_model
from peftcore.runs.store import RunStore

FILES = sorted(first_pictures.shipped_folder().glob("*.safetensors"))
PREFIX, LORA, LONG = "2556dc271826", "5a7da5def8b7", "4b585f3b9390"


@pytest.fixture(scope="module")
def base():
    return base_model.load("tiny-t5")


def example_of(task):
    return tasks.find_task(task).load("test")[first_pictures.EXAMPLE]


def stored(run):
    return first_pictures.find(run, run.spec.base, example_of(run.spec.task), 0)


@pytest.mark.parametrize("run", [PREFIX, LORA])
def test_a_recording_is_what_is_measured_today(run, base):
    opened = RunStore().open(run)
    found = stored(opened)
    fresh = record_first_pictures.record_run(opened, base, record_first_pictures.shipped_runs())
    assert list(found.patterns) == list(fresh.patterns)
    for kind, pattern in fresh.patterns.items():
        assert found.patterns[kind].weights == pytest.approx(pattern.weights, abs=1e-3)
        for field in ("queries", "keys", "block_paths"):
            assert getattr(found.patterns[kind], field) == getattr(pattern, field)
    assert found.block_path == fresh.block_path
    assert list(found.comparisons) == list(fresh.comparisons)
    for name, comparison in fresh.comparisons.items():
        old, new = found.comparisons[name], comparison
        assert old.length == new.length
        for head in range(len(new.before)):
            assert old.summarize_head(head).verdict() == new.summarize_head(head).verdict()
        assert np.abs(old.adapted.output - new.adapted.output).max() < 1e-4


def test_an_untouched_base_is_what_is_measured_today(base):
    fresh = record_first_pictures.record_base(base, "miniworld_nli")
    found = first_pictures.find(None, base.name, example_of(fresh.task), 0)
    for kind, pattern in fresh.patterns.items():
        assert found.patterns[kind].weights == pytest.approx(pattern.weights, abs=1e-3)
    assert found.texts("cross") == (
        [token.text for token in fresh.patterns["cross"].queries],
        [token.text for token in fresh.patterns["cross"].keys],
    )


def test_all_demo_runs_have_one_but_those_with_many_soft_tokens():
    missing = [run.id for run in record_first_pictures.shipped_runs() if stored(run) is None]
    assert missing
    assert LONG in missing
    assert {RunStore().open(run).spec.settings.get("length") for run in missing} == {50}
    assert max(path.stat().st_size for path in FILES) < 1.1 * first_pictures.MOST_BYTES


def test_another_example_another_seed_and_an_own_run_have_none(base):
    run = RunStore().open(PREFIX)
    example = example_of(run.spec.task)
    assert first_pictures.find(run, base.name, example, 0)
    assert first_pictures.find(run, base.name, example, 1) is None
    other = tasks.find_task(run.spec.task).load("test")[1]
    assert first_pictures.find(run, base.name, other, 0) is None
    assert first_pictures.find(replace(run, demo=False), base.name, example, 0) is None


def test_a_damaged_file_counts_as_none(tmp_path):
    path = tmp_path / "x.safetensors"
    assert first_pictures.read(path) is None
    path.write_bytes(b"no tensors")
    assert first_pictures.read(path) is None
