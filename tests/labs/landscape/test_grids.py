"""Points of faces, cuts, planes, paths and curves, and the losses there."""

import numpy as np
import pytest
import torch
from support.landscape_runs import at, done, trained

from peftcore import tasks
from peftcore.analysis import simplex
from peftcore.errors import BadInput
from peftcore.labs.landscape import compute
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.training import checkpoint


@pytest.mark.parametrize("name", ["simplex", "decoder", "reader", "lora"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_centroid_has_the_loss_the_run_reported(runs, name, seed):
    run = runs[name]
    table = done("face", run.id, seed=seed, examples=0).table()
    reported = run.status().seeds[seed]["best_dev"]
    assert at(table, "centroid") == pytest.approx(reported, abs=2e-5)


@pytest.mark.parametrize("name", ["simplex", "decoder", "reader", "lora"])
def test_a_vertex_has_the_loss_of_an_adapter_made_of_that_vertex_alone(runs, name):
    run = runs[name]
    base, task = load(run.spec.base), tasks.find_task(run.spec.task)
    table = done("face", run.id, examples=0).table()
    adapted = checkpoint.load_adapter(run, base)
    rows = task.few_shot(6, 0, 6).dev
    batch = ExampleBatcher(base, task.labels).batch(rows)
    for vertex in range(3):
        alone = {  # what a seed's vertices share has a single one
            n: (t[:1] if t.shape[1] == 1 else t[:1, vertex : vertex + 1]).detach()
            for n, t in adapted.tensors.items()
        }
        loss = adapted.losses(batch, torch.ones(1, 1, 1), alone).mean()
        assert at(table, f"vertex {vertex}") == pytest.approx(float(loss.detach()), abs=2e-5)


def test_the_points_of_the_training_are_those_that_training_drew(runs, monkeypatch):
    from peftcore.training import trainer

    drawn = []
    real = trainer.random_points

    def spy(numbers, rows, vertices, salt, layers=0):
        points = real(numbers, rows, vertices, salt, layers)
        if salt < 0:
            drawn.append((salt, points[0]))
        return points

    monkeypatch.setattr(trainer, "random_points", spy)
    run = trained(settings={"length": 2}, seeds=1, validation="stochastic", copies=2)
    step = run.status().seeds[0]["best_step"]
    first = LandscapeJob.create(
        LandscapeRequest.make({"kind": "face", "runs": [run.id], "steps": 2})
    )
    compute.run_landscape_job(first)
    used = next(points for salt, points in drawn if salt == -1 - step * 1000 * 1000)
    wanted = simplex.triangle_coords(used.double().numpy())
    np.testing.assert_allclose(first.facts["sampled"], wanted, atol=1e-4)


def test_every_edge_is_cut_and_the_ends_are_vertices(runs):
    run = runs["simplex"]
    table = done("cuts", run.id).table()
    face = done("face", run.id).table()
    assert table["line"].nunique() == 6
    first = table[table["line"] == "vertex 0 to vertex 2"].set_index("t")["loss"]
    assert first[0.0] == pytest.approx(at(face, "vertex 0"), abs=1e-5)
    assert first[1.0] == pytest.approx(at(face, "vertex 2"), abs=1e-5)


def test_a_scan_offers_faces(runs):
    table = done("scan", runs["simplex"].id).table()
    assert list(table["line"]) == ["vertex"] * 3 + ["centroid", "face"]
    assert table["loss"].notna().all()


def test_vertices_in_their_own_plane_keep_their_loss(runs):
    run = runs["simplex"]
    table, face = done("vertices", run.id).table(), done("face", run.id).table()
    for name in ("vertex 0", "vertex 1", "vertex 2", "centroid"):
        assert at(table, name) == pytest.approx(at(face, name), abs=1e-5)


def test_a_plain_run_has_a_landscape_around_it(runs):
    run = runs["plain"]
    table = done("random", run.id, examples=0).table()
    reported = run.status().seeds[0]["best_dev"]
    assert at(table, "adapter") == pytest.approx(reported, abs=2e-5)
    with pytest.raises(BadInput, match="single adapter"):
        compute.run_landscape_job(
            LandscapeJob.create(LandscapeRequest.make({"kind": "face", "runs": [run.id]}))
        )


def test_the_training_path_lies_on_its_plane(runs):
    run = runs["plain"]
    assert run.intermediate_steps() == [0, 2, 4]
    table = done("path", run.id, examples=0).table()
    history = run.history().set_index(["step", "seed"])["dev_loss"]
    for step in (0, 2, 4):  # kept in half precision
        assert at(table, f"step {step}") == pytest.approx(history[step, 0], abs=5e-3)


def test_a_plane_through_three_adapters_of_equal_shape(runs):
    simplex_, plain, other = (runs[name].id for name in ("simplex", "plain", "other"))
    landscape = done("plane", simplex_, plain, f"{other}@2/1")
    table = landscape.table()
    marked = table[table["mark"] != ""]
    assert len(marked) == 3
    assert marked["mark"].iloc[2].endswith("step 2, seed 1")
    alone = done("random", plain).table()
    assert marked["loss"].iloc[1] == pytest.approx(at(alone, "adapter"), abs=1e-5)
    np.testing.assert_allclose(marked[["x", "y"]].iloc[0], 0, atol=1e-6)


def test_adapters_of_other_shapes_span_no_plane(runs):
    ask = LandscapeRequest.make({"kind": "curve", "runs": [runs["plain"].id, runs["decoder"].id]})
    with pytest.raises(BadInput, match="different names or sizes"):
        compute.run_landscape_job(LandscapeJob.create(ask))


def test_a_trained_curve_goes_lower_than_the_straight_way(runs):
    names = runs["plain"].id, f"{runs['plain'].id}/1"
    landscape = done("curve", *names, split="train", examples=0, steps=6, bend_steps=40)
    table = landscape.table()
    straight, curved = (table[table["line"] == line] for line in ("straight", "curved"))
    assert straight["loss"].iloc[0] == pytest.approx(curved["loss"].iloc[0], abs=1e-5)
    assert straight["loss"].iloc[-1] == pytest.approx(curved["loss"].iloc[-1], abs=1e-5)
    assert curved["loss"].mean() < straight["loss"].mean()
