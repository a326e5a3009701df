"""Adapters between adapters: losses at points, directions, curvature."""

import pytest
import torch

from peftcore import tasks
from peftcore.analysis import simplex
from peftcore.labs.common import interpolation
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.training import checkpoint


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


def test_a_head_that_reads_as_another_gives_the_same_logits(tiny):
    """Each seed's head is standardised on its own examples; points between seeds need one way."""
    rng = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.rand(*shape, generator=rng) + 0.5
    own, other = (
        {
            "head": draw(2, 1, 5, 3),
            "head_bias": draw(2, 1, 1, 3),
            "head_mean": draw(2, 1, 1, 5),
            "head_scale": draw(2, 1, 1, 5),
        }
        for _ in range(2)
    )
    changed = interpolation.read_alike(own, other)
    assert torch.equal(changed["head_mean"], other["head_mean"])
    x = draw(2, 1, 4, 5)
    logits = lambda t: (x - t["head_mean"]) / t["head_scale"] @ t["head"] + t["head_bias"]
    torch.testing.assert_close(logits(changed), logits(own))
    assert interpolation.read_alike({"a": x}, {"a": x}) == {"a": x}
