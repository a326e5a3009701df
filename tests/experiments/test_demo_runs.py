import pytest
from support.runs import write_adapter

from peftcore import paths
from peftcore.data.task import TASKS
from peftcore.experiments.demo_runs import (
    MAX_ADAPTER_BYTES,
    demo_specs,
    study_specs,
    write_demo_runs,
)
from peftcore.runs.ship import ADAPTER_FILE, SHIPPED_FILES
from peftcore.runs.store import RunStore


def test_demo_runs_are_put_in_place_of_what_was_there(tmp_path):
    out = tmp_path / "demo_runs"
    out.mkdir()
    (out / "old").write_text("gone")
    worked = []

    def work(run):
        worked.append(run.id)
        (run.folder / "checkpoint.safetensors").write_bytes(b"left over")
        run.write_status(state="done")

    made = write_demo_runs(out, work)
    assert [run.id for run in made] == worked == [spec.id for spec in demo_specs()]
    assert sorted(p.name for p in out.iterdir()) == sorted(worked)
    assert not list(out.glob("*/checkpoint.safetensors"))
    assert [p.name for p in tmp_path.iterdir()] == ["demo_runs"]


def test_runs_that_were_finished_before_a_stop_are_not_done_again(tmp_path):
    wanted, worked = demo_specs()[:2], []

    def stopped(run):
        if worked:
            raise KeyboardInterrupt
        worked.append(run.id)
        run.write_status(state="done")

    with pytest.raises(KeyboardInterrupt):
        write_demo_runs(tmp_path / "study_runs", stopped, wanted)
    assert not (tmp_path / "study_runs").exists()

    def work(run):
        worked.append(run.id)
        run.write_status(state="done")

    write_demo_runs(tmp_path / "study_runs", work, wanted)
    assert worked == [spec.id for spec in wanted]


def test_runs_of_studies_are_found_and_listed_only_if_asked(tmp_path):
    spec = demo_specs()[0]
    write_demo_runs(tmp_path / "study_runs", lambda run: run.write_status(state="done"), [spec])
    store = RunStore(tmp_path / "runs", demo_folder=tmp_path / "demo_runs")
    assert store.all() == []
    assert [run.id for run in store.all(include_studies=True)] == [spec.id]
    assert store.open(spec.id).demo
    assert store.find(spec).id == spec.id


SHIPPED = [
    run
    for run in RunStore().all(include_studies=True)
    if run.demo and run.folder.parent != RunStore().real_folder
]


@pytest.mark.parametrize("run", SHIPPED, ids=lambda run: run.id)
def test_a_shipped_run_is_whole_done_and_made_of_our_own_text(run):
    assert run.status().state == "done"
    assert run.spec.task.startswith(("miniworld_", "ladder_"))
    assert {p.name for p in run.folder.iterdir()} <= {*SHIPPED_FILES, ADAPTER_FILE, "path"}
    assert run.manifest()["data_hash"] == TASKS[run.spec.task]().data_hash()
    assert len(run.scores()[TASKS[run.spec.task].main_metric]) == run.spec.population.seeds >= 4


def test_the_shipped_runs_are_those_the_command_makes():
    wanted = [*demo_specs(), *study_specs(RunStore())]
    ladder = RunStore().ladder_folder  # of which as much ships as has been trained
    demos = [run for run in SHIPPED if run.folder.parent != ladder]
    assert {run.id for run in demos} == {spec.id for spec in wanted}
    assert (paths.ASSETS / "demo_runs").is_dir()


def test_large_adapters_behind_a_study_are_left_out(tmp_path):
    def work(run):
        write_adapter(run, b"0" * sizes.pop())
        run.write_status(state="done")

    sizes = [MAX_ADAPTER_BYTES, MAX_ADAPTER_BYTES // 2]
    small, large = write_demo_runs(tmp_path / "study_runs", work, demo_specs()[:2])
    assert (small.folder / "adapter.safetensors").is_file()
    assert not (large.folder / "adapter.safetensors").exists()
