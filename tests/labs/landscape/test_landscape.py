import json

import numpy as np
import pytest
import torch
from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore import tasks
from peftcore.analysis import simplex
from peftcore.cli import app
from peftcore.errors import BadInput
from peftcore.labs.common import interpolation
from peftcore.labs.common.context import adapter_digest
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape import compute
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.training import checkpoint, planning, run_training
from peftcore.training.planning import build_spec

SMALL = {"shots": 6, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}
SHORT = {"limit": 4, "max_new_tokens": 3}


def trained(base="mine", method="prefix_tuning", vertices=3, seeds=2, settings=None, **training):
    spec = build_spec(
        base,
        "miniworld_nli",
        method,
        settings,
        {"seeds": seeds, "vertices": vertices},
        SMALL | {"validation": "deterministic", "learning_rate": 0.5} | training,
        SHORT,
    )
    run = RunStore().create(spec)
    run_training.execute_run(run, base=load(base))
    return run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a simplex, two plain runs of its shape, and random bases."""
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    for name, family in (("mine", "t5"), ("reader", "bert"), ("writer", "gpt2")):
        base = build_tiny(family)
        base.model.save_pretrained(models / name)
        base.tokenizer.save_pretrained(models / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        patch.setenv("PEFTCORE_MODELS", str(models))
        runs = {
            "simplex": trained(settings={"length": 3}),
            "plain": trained(settings={"length": 3}, vertices=1),
            "other": trained(settings={"length": 3}, vertices=1, batch=2),
            "decoder": trained(settings={"length": 3, "places": ["decoder", "cross"]}),
            "reader": trained("reader", settings={"length": 3}),
            "lora": trained("writer", "lora", settings={"rank": 2}),
        }
        yield home, models, runs


@pytest.fixture
def runs(workspace, monkeypatch):
    home, models, made = workspace
    monkeypatch.setenv("PEFTCORE_HOME", str(home))
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
    return made


def done(kind, *names, **fields):
    """A landscape brought to its end, with few points unless told otherwise."""
    small = {"examples": 4, "steps": 3, "beyond": 0, "copies": 4, "bend_steps": 3}
    ask = LandscapeRequest.make({"kind": kind, "runs": names} | small | fields)
    landscape = LandscapeJob.create(ask)
    assert compute.run_landscape_job(landscape).state == "done"
    return landscape


def at(table, mark):
    return table.loc[table["mark"] == mark, "loss"].item()


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
        alone = {n: t[:1, vertex : vertex + 1].detach() for n, t in adapted.tensors.items()}
        loss = adapted.losses(batch, torch.ones(1, 1, 1), alone).mean()
        assert at(table, f"vertex {vertex}") == pytest.approx(float(loss.detach()), abs=2e-5)


@pytest.mark.parametrize("name", ["simplex", "decoder", "reader", "lora"])
def test_stacked_points_equal_points_one_by_one(runs, name):
    run = runs[name]
    base, task = load(run.spec.base), tasks.find_task(run.spec.task)
    own = interpolation.span_of_run(checkpoint.load_adapter(run, base))
    rows = list(task.load("test")[:5])
    encoder = ExampleBatcher(base, task.labels)
    points = torch.from_numpy(simplex.triangle_lattice(3, 1)).float()
    stacked = PointEvaluator(own, 1, rows, encoder).losses(points)
    for place in (0, 7, len(points) - 1):
        member = interpolation.at_points(own, 1, points[place : place + 1])
        alone = member.losses(encoder.batch(rows), torch.ones(1, 1, 1)).mean()
        assert stacked[place] == pytest.approx(float(alone.detach()), abs=2e-5)


def test_an_encoder_that_is_left_alone_runs_once(runs, monkeypatch):
    base = load("mine")
    task = tasks.find_task("miniworld_nli")
    seen = []
    for name, once in (("decoder", True), ("simplex", False)):
        own = interpolation.span_of_run(checkpoint.load_adapter(runs[name], base))
        assert own.encoder_untouched is once
        surveyor = PointEvaluator(
            own, 0, list(task.load("test")[:3]), ExampleBatcher(base, task.labels)
        )
        seen.clear()
        blocks = (own.model.encoder, base.model.encoder)
        hooks = [
            b.register_forward_hook(lambda _, given, out: seen.append(len(out[0]))) for b in blocks
        ]
        surveyor.losses(torch.eye(3)[[0, 1, 2] * 8])
        for hook in hooks:
            hook.remove()
        assert sum(seen) == (3 if once else 24 * 3)  # examples; or these at every point


def test_a_copy_with_points_for_every_row_has_the_mean_of_rows_at_their_own_points(runs):
    run = runs["simplex"]
    base, task = load("mine"), tasks.find_task("miniworld_nli")
    own = interpolation.span_of_run(checkpoint.load_adapter(run, base))
    rows = list(task.load("test")[:4])
    surveyor = PointEvaluator(own, 0, rows, ExampleBatcher(base, task.labels))
    from peftcore.adapters.simplex_points import random_points

    copies = surveyor.random_point_losses([0, 1], salt=9)
    for copy in (0, 1):
        points = random_points([9], 4, 3, copy)[0]
        alone = surveyor.example_losses(points).diagonal()  # row i at point i
        assert copies[copy] == pytest.approx(float(alone.mean()), abs=2e-5)


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


def test_random_directions_have_the_length_of_what_they_change(runs):
    base = load("mine")
    own = interpolation.centroid_span(
        interpolation.span_of_run(checkpoint.load_adapter(runs["plain"], base))
    )
    span = interpolation.span_around(own, 2, "filter")
    for name, corner in span.tensors.items():
        moved = (corner[:, 1] - corner[:, 0]).norm(dim=-1)
        torch.testing.assert_close(moved, own.tensors[name][:, 0].norm(dim=-1), rtol=1e-4, atol=0)
    whole = interpolation.span_around(own, 1, "tensor").tensors
    for name, corner in whole.items():
        moved = float((corner[0, 1] - corner[0, 0]).norm())
        assert moved == pytest.approx(float(own.tensors[name][0].norm()), rel=1e-4)


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


def test_flatness_of_every_seed(runs):
    run = runs["simplex"]
    found = done("flatness", run.id, examples=0).measures()
    wide = found.pivot_table(index="measure", columns="seed", values="value")
    assert list(wide.columns) == [0, 1]
    for seed in (0, 1):
        assert wide[seed]["loss"] == pytest.approx(run.status().seeds[seed]["best_dev"], abs=2e-5)
        assert wide[seed]["bowl"] == pytest.approx(wide[seed]["vertices"] - wide[seed]["loss"])
        assert wide[seed]["worst rise"] >= wide[seed]["rise"]
        assert wide[seed]["variance"] > 0
        assert wide[seed]["barrier"] >= 0


def test_curvature_agrees_with_differences_of_losses(runs):
    run = runs["plain"]
    base, task = load("mine"), tasks.find_task(run.spec.task)
    own = interpolation.span_of_run(checkpoint.load_adapter(run, base))
    rows = list(task.load("test")[:3])
    encoder = ExampleBatcher(base, task.labels)
    product, point = interpolation.hessian_product(own, 0, [encoder.batch(rows)], torch.ones(1))
    rng = torch.Generator().manual_seed(0)
    vector = torch.randn(len(point), generator=rng)
    vector /= vector.norm()
    exact = float(vector @ product(vector))
    corners = {}
    start = 0
    for name, t in own.tensors.items():
        size = t[0, 0].numel()
        move = vector[start : start + size].view(t[0, 0].shape)
        corners[name] = torch.stack([t[0, 0], t[0, 0] + move])[None]
        start += size
    line = own.with_tensors(corners)
    step = 0.3
    points = torch.tensor([[1 - k * step, k * step] for k in (-1, 0, 1)])
    low, mid, high = (
        PointEvaluator(line, 0, rows, encoder).example_losses(points).double().mean(1).tolist()
    )
    assert exact == pytest.approx((low - 2 * mid + high) / step**2, rel=0.1, abs=2e-4)


def test_validation_estimates_at_every_kept_step(runs):
    run = runs["simplex"]
    found = done("validation", run.id, examples=3).measures()
    points = found[found["look"] == "points"]
    assert all(len(values) == 4 for values in points["values"])
    steps = found[found["look"] == "step"]
    assert sorted(set(steps["step"])) == run.intermediate_steps()
    assert steps[["stochastic", "centroid", "test_loss", "test_score"]].notna().to_numpy().all()


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


def test_the_command_line_prints_the_points_as_json(runs):
    words = [runs["simplex"].id, "--kind", "scan", "--set", "examples=2", "--json"]
    result = CliRunner().invoke(app, ["landscape", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert value["state"] == "done"
    assert len(value["points"]) == 5
    assert value["facts"]["n"] == 2
    assert value["facts"]["data_hash"] == runs["simplex"].manifest()["data_hash"]


def test_equal_asks_are_one_and_their_command_asks_the_same():
    ask = LandscapeRequest.make(
        {"kind": "face", "runs": ["a" * 12], "face": ["c", "0", "1"], "metric": True}
    )
    assert ask.id == LandscapeRequest.make(ask.model_dump(mode="json")).id
    words = ask.command_arguments()
    assert words[:4] == ["landscape", "a" * 12, "--kind", "face"]
    from peftcore.cli.options import parse_setting

    sets = dict(parse_setting(w) for w in words[5::2])
    assert LandscapeRequest.make({"kind": "face", "runs": ["a" * 12]} | sets) == ask
    for written in ("c,0,1", "[c, 0, 1]", '["c", "0", "1"]', ["c", 0, 1]):
        assert LandscapeRequest.make({"runs": ["a" * 12], "face": written}).face == ("c", "0", "1")
    for wrong in ("0,1", "0,0,1", "0,1,2,c", []):
        with pytest.raises(BadInput, match="three different corners are needed, such as 0,1,c"):
            LandscapeRequest.make({"runs": ["a" * 12], "face": wrong})


def test_an_ask_is_known_by_what_differs_from_the_defaults():
    plain = LandscapeRequest.make({"runs": ["a" * 12]})
    assert plain.id == LandscapeRequest.make({"runs": ["a" * 12], "steps": 15, "kind": "face"}).id
    assert plain.id != LandscapeRequest.make({"runs": ["a" * 12], "steps": 16}).id


def test_the_same_run_with_other_numbers_of_vertices(runs):
    run = runs["simplex"]
    words = ["vertices", run.id, "--counts", "1,3", "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)
    assert [row["vertices"] for row in rows] == [1, 3]
    assert rows[1]["run"] == run.id
    assert rows[1]["state"] == "done"
    wrong = CliRunner().invoke(app, ["vertices", run.id, "--counts", "two"])
    assert wrong.exit_code == 2
    assert "whole numbers" in wrong.stderr


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
