"""A sweep over Slurm, by programs that stand in for its own: nothing is lost, nothing twice."""

import os
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.slurm import FakeSlurm
from support.trainers import FakeTrainer

from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines import slurm, slurm_part, slurm_programs
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.sweeps.engines.slurm import SlurmEngine
from peftcore.sweeps.engines.slurm_programs import SlurmSite


def shards(folder, seeds=3):
    spec = RunSpec(base="b", task="t", method="m")
    of = lambda seed: spec.population.model_copy(update={"first_seed": seed})
    return [
        Shard(spec.model_copy(update={"population": of(seed)}), folder / "runs")
        for seed in range(seeds)
    ]


def never():
    return False


def engine_of(folder, cluster, pause=None, **options):
    """Return an engine, during whose pauses the cluster works."""
    return SlurmEngine(folder, pause=pause or cluster.tick, **options)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Time passes on the cluster while the engine waits."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made = FakeSlurm(tmp_path / "programs", FakeTrainer("cpu"))
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURMD_NODENAME", "n0")
    monkeypatch.setattr(slurm, "SETTLE_SECONDS", 0.0)
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_every_part_is_a_task_of_one_array_and_ends_once(cluster, tmp_path):
    todo, lines = shards(tmp_path), []
    site = SlurmSite(partition="long", time="1:30:00", memory="8G", gpus=1)
    engine = engine_of(tmp_path / "ab12", cluster, site=site, processes=2, say=lines.append)
    found = list(engine.run_shards(todo, never))
    assert [(each.shard_id, each.state, each.worker) for each in found] == [
        (shard.spec.id, "done", "node n1") for shard in todo
    ]
    [call] = cluster.calls("sbatch")
    text = Path(call[-1]).read_text("utf-8")
    for words in ("array=0-2%2", "partition=long", "time=1:30:00", "mem=8G", "gpus=1", "requeue"):
        assert f"#SBATCH --{words}\n" in text
    assert "account" not in text
    assert "--device auto" in text
    assert lines[0] == "Slurm: 0 at work, 3 waiting (Priority)"
    assert list(SlurmEngine(tmp_path / "ab12").run_shards([], never)) == []


def test_what_slurm_loses_begins_again_and_fails_at_last_with_its_reason(cluster, tmp_path):
    todo, lost = shards(tmp_path), []

    def lose_the_first(_):
        key = next((key for key, row in cluster.tasks.items() if row[0] == "PENDING"), None)
        if key and key.endswith("|0") and len(lost) < losses:
            lost.append(key)
            cluster.set(key, "OUT_OF_MEMORY")
        elif key:
            cluster.train(key)

    losses = 1
    found = list(engine_of(tmp_path / "s", cluster, lose_the_first).run_shards(todo[:1], never))
    assert [(e.shard_id, e.state) for e in found] == [(todo[0].spec.id, "done")]
    assert len(cluster.calls("sbatch")) == 2
    losses = 3
    [found] = engine_of(tmp_path / "s", cluster, lose_the_first).run_shards(todo[1:2], never)
    assert (found.shard_id, found.state) == (todo[1].spec.id, "failed")
    status = RunStore(todo[1].store_folder).open(todo[1].spec.id).status()
    assert status.state == "failed"
    assert "Slurm ended it 2 times (OUT_OF_MEMORY); ask for more memory" in status.message


def test_a_task_that_the_controller_forgot_is_explained_by_the_accounts(cluster, tmp_path):
    [shard] = shards(tmp_path, 1)
    run = RunStore(shard.store_folder).create(shard.spec)
    run.write_status(state="running", process=None)

    def cancel(_):
        for key in cluster.tasks:
            cluster.set(key, "CANCELLED")

    [found] = engine_of(tmp_path / "s", cluster, cancel).run_shards([shard], never)
    assert (found.state, found.message) == ("cancelled", "Cancelled in Slurm; it can be resumed.")
    assert run.status().state == "cancelled"
    [name] = {key.partition("|")[0] for key in cluster.tasks}
    assert slurm_programs.end_state((name, 0)) == "cancelled"
    (cluster.folder / "sacct.error").write_text("no accounts here")
    assert slurm_programs.end_state((name, 0)) == ""


def test_a_stop_takes_back_what_waits_and_ends_what_runs(cluster, tmp_path):
    todo = shards(tmp_path)
    ends = iter([False, True])

    def begin_or_end(_):
        first = next(iter(cluster.tasks))
        if cluster.tasks[first][0] == "PENDING":
            cluster.set(first, "RUNNING")
        elif cluster.tasks[first][0] == "ASKED":
            folder = Path(cluster.tasks[first][2])
            text = f'{{"shard_id": "{todo[0].spec.id}", "state": "cancelled"}}'
            slurm_part.outcome_file(folder, 0).write_text(text)
            cluster.set(first, "COMPLETED")

    engine = engine_of(tmp_path / "s", cluster, begin_or_end)
    found = list(engine.run_shards(todo, lambda: next(ends, True)))
    assert [(each.shard_id, each.state) for each in found] == [(todo[0].spec.id, "cancelled")]
    assert {row[0] for row in cluster.tasks.values()} == {"COMPLETED", "CANCELLED"}
    assert ["--state=PENDING" in words for words in cluster.calls("scancel")][:2] == [True, False]


def test_a_sweep_started_again_takes_up_what_still_waits(cluster, tmp_path, monkeypatch):
    todo = shards(tmp_path)
    with monkeypatch.context() as patch:  # whoever follows is gone, without any farewell
        patch.setattr(SlurmEngine, "_end_what_is_left", lambda engine: None)
        followed = engine_of(tmp_path / "s", cluster, lambda _: 1 / 0).run_shards(todo, never)
        with pytest.raises(ZeroDivisionError):
            next(followed)
    found = list(engine_of(tmp_path / "s", cluster).run_shards(todo[:2], never))
    assert {each.shard_id for each in found} == {shard.spec.id for shard in todo}
    assert len(cluster.calls("sbatch")) == 1


def test_a_part_says_how_it_ended_and_a_signal_ends_it(tmp_path, cluster):
    [shard] = shards(tmp_path, 1)
    slurm_part.write_parts(tmp_path, [shard])

    class Signalled:
        """A trainer whose process is asked to end."""

        def train_shard(self, shard, stop, worker):
            assert not stop()
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop()
            return ShardOutcome(shard.spec.id, "cancelled", worker=worker)

    slurm_part.train_part(tmp_path, 0, Signalled())
    assert slurm_part.read_outcome(tmp_path, 0) == ShardOutcome(
        shard.spec.id, "cancelled", worker="node n0"
    )


def test_nothing_in_a_path_or_a_setting_becomes_a_command(tmp_path, monkeypatch):
    odd = tmp_path / "it's $(touch here) 100%"
    odd.mkdir()
    python = odd / "python; touch there"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$PEFTCORE_HOME" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PEFTCORE_HOME", str(odd))
    text = slurm_programs.script(SlurmSite(), "x", 4, None, "cpu; touch here")
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": "3 4"}
    done = subprocess.run(["sh", "-c", text], capture_output=True, cwd=tmp_path, env=environment)
    words = done.stdout.decode().splitlines()
    module = "peftcore.sweeps.engines.slurm_part"
    assert words == [str(odd), "-m", module, "--device", "cpu; touch here", ".", "3 4"]
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} <= {"tasks.json"}
    assert shlex.split(text.splitlines()[-1])[0] == "exec"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("partition", "gpu\n#SBATCH --uid=0", "is written as gpu or gpu,long"),
        ("partition", "a b", "is written as"),
        ("account", "-x", "is written as my_project"),
        ("time", "1h", "is written as 90 (minutes), 1:30:00"),
        ("time", "90\n", "is written as 90 (minutes)"),
        ("memory", "8 G", "is written as 900M or 8G"),
        ("gpus", -1, "must lie in [0, 16]; got -1"),
    ],
)
def test_settings_of_a_site_are_checked_before_anything_is_written(name, value, says):
    with pytest.raises(BadInput) as refused:
        SlurmSite.make({name: value})
    assert says in str(refused.value)


def test_what_sbatch_refuses_is_repeated_and_a_silent_slurm_is_waited_for(
    cluster, tmp_path, monkeypatch
):
    (cluster.folder / "sbatch.error").write_text("sbatch: error: invalid partition specified: x")
    with pytest.raises(BadInput, match="sbatch refused: sbatch: error: invalid partition"):
        list(SlurmEngine(tmp_path / "s").run_shards(shards(tmp_path), never))
    (cluster.folder / "sbatch.error").unlink()
    silence = cluster.folder / "squeue.error"
    silence.write_text("Unable to contact slurm controller")
    answer = lambda _: (silence.unlink(missing_ok=True), cluster.tick())
    assert (
        len(list(engine_of(tmp_path / "t", cluster, answer).run_shards(shards(tmp_path), never)))
        == 3
    )
    silence.write_text("Unable to contact slurm controller")
    monkeypatch.setattr(slurm, "SILENT_SECONDS", -1.0)
    with pytest.raises(BadInput, match="Slurm is silent"):
        list(engine_of(tmp_path / "u", cluster).run_shards(shards(tmp_path), never))
