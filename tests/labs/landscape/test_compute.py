"""Landscapes measured, stopped, gone on with and shipped."""

import json
import shutil

import numpy as np
import pytest
import torch
from support.landscape_runs import at, done

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.labs.common.context import adapter_digest
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape import compute
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.system import disk_space
from peftcore.training import checkpoint, planning


def test_what_was_measured_before_a_stop_is_not_measured_again(runs, monkeypatch):
    run = runs["simplex"]
    ask = LandscapeRequest.make({"kind": "face", "runs": [run.id], "steps": 6, "examples": 3})
    landscape = LandscapeJob.create(ask)
    calls = []

    def stop():
        calls.append(1)
        return len(calls) == 4

    assert compute.run_landscape_job(landscape, stop=stop).state == "cancelled"
    first = landscape.table()["loss"]
    assert 0 < first.notna().sum() < len(first)
    assert at(landscape.table(), "vertex 2") > 0  # corners come first
    measured = []
    real = PointEvaluator.losses
    monkeypatch.setattr(
        PointEvaluator, "losses", lambda self, p: measured.append(len(p)) or real(self, p)
    )
    assert compute.run_landscape_job(landscape).state == "done"
    whole = landscape.table()["loss"]
    assert sum(measured) == first.isna().sum()
    assert whole.notna().all()
    assert (whole[first.notna()] == first[first.notna()]).all()
    seconds = landscape.status().seconds
    assert compute.run_landscape_job(landscape).seconds == seconds  # done: nothing is done again


def test_a_torn_last_line_costs_that_line_only(runs):
    landscape = done("face", runs["simplex"].id, draw=7)
    values = landscape.folder / "values.jsonl"
    values.write_bytes(values.read_bytes()[:-9])
    landscape.write_status(state="cancelled")
    assert landscape.table()["loss"].isna().any()
    assert compute.run_landscape_job(landscape).state == "done"
    assert landscape.table()["loss"].notna().all()


def test_a_retrained_adapter_is_measured_anew(runs):
    landscape = done("face", runs["simplex"].id, draw=8)
    plan_ = landscape.plan()
    landscape.write_plan(plan_["facts"] | {"adapters": ["0" * 12]}, plan_["rows"])
    landscape.append_value({"what": "loss", "at": [0], "values": [99.0]})
    landscape.write_status(state="cancelled")
    compute.run_landscape_job(landscape)
    assert landscape.table()["loss"].max() < 99


def test_scores_of_answers_stand_beside_losses(runs):
    table = done("face", runs["reader"].id, metric=True).table()
    assert table["score"].between(0, 1).all()
    run = runs["reader"]
    base, task = load("reader"), tasks.find_task(run.spec.task)
    adapted = checkpoint.load_adapter(run, base)
    rows = list(task.few_shot(6, 0, 6).dev[:4])
    batch = ExampleBatcher(base, task.labels).batch(rows)
    first_seed = {name: t[:1] for name, t in adapted.tensors.items()}
    predicted = adapted.logits(batch, adapted.centroid(2)[:1], first_seed).argmax(-1)
    right = np.mean([task.labels[i] == row.label for i, row in zip(predicted, rows, strict=True)])
    score = table.loc[table["mark"] == "centroid", "score"].item()
    assert score == pytest.approx(right)


def test_the_adapter_at_a_point_answers_and_can_be_taken_along(runs, tmp_path):
    from safetensors.torch import load as read

    run = runs["simplex"]
    landscape = done("face", run.id)
    base = load("mine")
    row = landscape.table().query("mark == 'vertex 1'").iloc[0]
    adapted, of = compute.adapter_at_point(landscape.request, row["weights"], base)
    assert of.id == run.id
    own = checkpoint.load_adapter(run, base)
    for name, t in adapted.tensors.items():
        torch.testing.assert_close(t[0, 0], own.tensors[name][0, 1])
    exported = read(compute.export_point(landscape.request, row["weights"], base))
    plain = planning.build_adapted(base, replace_vertices(run.spec), fresh=False)
    assert {n: t.shape for n, t in exported.items()} == {
        n: t.shape for n, t in plain.tensors.items()
    }


def replace_vertices(spec):
    population = spec.population.model_copy(update={"seeds": 1, "vertices": 1})
    return spec.model_copy(update={"population": population})


SHIPPED = sorted(LandscapeJob.assets().glob("*/ask.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_a_shipped_landscape_is_whole_and_belongs_to_a_shipped_run(path):
    ask = LandscapeRequest.make(json.loads(path.read_text()))
    assert ask.id == path.parent.name
    found = LandscapeJob(path.parent, ask, True)
    assert found.status().state == "done"
    for part, stamp in zip(ask.adapter_refs(), found.facts["adapters"], strict=True):
        run = RunStore().open(part.run)
        assert run.demo
        assert adapter_digest(run, part.step) == stamp
    if ask.kind in compute.POINT_KINDS:
        assert found.table()["loss"].notna().all()


@pytest.mark.parametrize("name", ["simplex", "lora"])
def test_the_loss_on_general_text_is_the_one_that_forgetting_rests_on(runs, name):
    run = runs[name]
    kind = "vertices" if name == "simplex" else "random"
    table = done(kind, run.id, split="general", examples=6, steps=2).table()
    wanted = np.mean(run.forgetting().loss[0][:6])
    mark = "centroid" if name == "simplex" else "adapter"
    assert at(table, mark) == pytest.approx(wanted, abs=1e-3)


def test_general_text_is_refused_where_it_has_no_say(runs):
    refused = {
        "reader": ("vertices", "reads but does not write"),
        "simplex": ("validation", "no answers"),
    }
    for name, (kind, words) in refused.items():
        request = {"kind": kind, "runs": [runs[name].id], "split": "general"}
        with pytest.raises(BadInput, match=words):
            compute.run_landscape_job(LandscapeJob.create(LandscapeRequest.make(request)))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("PEFTCORE_MAX_POINTS", "40", r"this picture has 49 points; at most 40 points"),
        ("PEFTCORE_MAX_READINGS", "100", r"49 points read 147 examples in all; at most 100"),
    ],
)
def test_more_than_this_server_measures_is_refused_before_it_begins(
    runs, monkeypatch, setting, value, message
):
    fields = {"kind": "random", "runs": [runs["plain"].id], "steps": 4, "examples": 3, "draw": 99}
    landscape = LandscapeJob.create(LandscapeRequest.make(fields))
    monkeypatch.setenv(setting, value)
    with pytest.raises(BadInput, match=rf"{message}.*\({setting}\): take fewer steps"):
        compute.run_landscape_job(landscape)
    assert not landscape.plan()


def test_room_for_the_points_is_asked_for_before_they_are_measured(runs, monkeypatch):
    fields = {"kind": "random", "runs": [runs["plain"].id], "steps": 4, "examples": 3, "draw": 98}
    landscape = LandscapeJob.create(LandscapeRequest.make(fields))
    usage = shutil.disk_usage("/")._replace(free=disk_space.RESERVE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(BadInput, match="make room"):
        compute.run_landscape_job(landscape)
    assert not landscape.plan()
