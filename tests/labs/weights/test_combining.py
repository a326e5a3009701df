"""Mixtures of two runs: exact at the ends, the sum of both changes between, stored as a run."""

import pytest
import torch
from support.adapters import random_adapted
from support.atom_runs import trained
from support.commands import printed, refused

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.exchange.merge import merged_weights
from peftcore.exchange.peft_export import centroid
from peftcore.labs.common.interpolation import corner_mixtures
from peftcore.labs.weights import combining
from peftcore.labs.weights.request import (
    SHARES,
    CombiningJob,
    CombiningRequest,
    own_rises,
    point_means,
)
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.training.checkpoint import load_adapter


def changes(adapted, seed):
    """Weight → what merging adds to it."""
    own = dict(adapted.base.model.named_parameters())
    merged = merged_weights(adapted, centroid(adapted, seed))
    return {name: value - own[name] for name, value in merged.items()}


@pytest.mark.parametrize("method", ["lora", "sparsefit"])
def test_a_mixture_is_the_weighted_sum_of_both_changes(tiny, method):
    """Of LoRA the products are mixed, though ranks and scales differ."""
    base = tiny("t5")
    more = {"rank": 2, "alpha": 6} if method == "lora" else {}
    first = random_adapted(base, method, vertices=1)
    second = random_adapted(base, method, vertices=1, **more)
    if method == "sparsefit":
        for tensor in second.tensors.values():
            tensor.data *= -0.4
    span = combining.span_of_runs([first, second], [1, 0])
    mixed = span.with_tensors(corner_mixtures(span, 0, torch.tensor([[0.3, 0.7]])))
    one, other, both = changes(first, 1), changes(second, 0), changes(mixed, 0)
    for name, value in both.items():
        assert torch.allclose(value, 0.3 * one[name] + 0.7 * other[name], atol=1e-4)


def test_an_encoder_has_no_answers_in_common(tiny):
    pair = [random_adapted(tiny("bert"), "lora", vertices=1)] * 2
    with pytest.raises(BadInput, match="base that writes"):
        combining.span_of_runs(pair, [0, 0])


def test_three_changes_are_mixed_as_weighed(tiny):
    base = tiny("llama")
    models = [
        random_adapted(base, "lora", vertices=1, rank=rank, alpha=alpha)
        for rank, alpha in ((2, 2), (3, 6), (1, 4))
    ]
    models[2].tensors.update({n: t * -0.3 for n, t in models[2].tensors.items()})
    span = combining.span_of_runs(models, [1, 0, 1])
    weights = [0.2, 0.5, 0.3]
    mixed = span.with_tensors(corner_mixtures(span, 0, torch.tensor([weights])))
    parts = [changes(model, seed) for model, seed in zip(models, [1, 0, 1], strict=True)]
    for name, value in changes(mixed, 0).items():
        expected = sum(w * part[name] for w, part in zip(weights, parts, strict=True))
        assert torch.allclose(value, expected, atol=1e-4)


@pytest.fixture
def three(pair):
    """The same with a third task."""
    return (*pair, trained("lora", task="miniworld_paraphrase", settings={"rank": 1}))


def test_the_corners_of_a_triangle_are_the_runs(three):
    request = CombiningRequest.make(
        {"runs": [run.id for run in three], "steps": 2, "examples": 3, "seeds": 1}
    )
    job = CombiningJob.create(request)
    assert combining.run_combining_job(job).state == "done"
    triangle = job.triangle()
    assert len(triangle) == 6 * 3
    assert triangle[SHARES].sum(axis=1).to_numpy() == pytest.approx(1)
    means = point_means(triangle)
    for number, run in enumerate(three):
        adapted, training = load_adapter(run, load("mine")), run.spec.training
        rows = tasks.find_task(run.spec.task).few_shot(training.shots, 0, training.dev).dev[:3]
        batch = ExampleBatcher(adapted.base, ()).batch(rows).repeated(2)
        with torch.no_grad():
            expected = adapted.losses(batch, adapted.centroid())[: len(rows)].mean()
        corner = means[means[SHARES[number]] == 1]
        assert corner[run.id].iloc[0] == pytest.approx(float(expected), abs=1e-4)
    sums = means[[run.id for run in three]].sum(axis=1)
    assert means["sum"].to_numpy() == pytest.approx(sums.to_numpy())
    pairs = {tuple(pair) for pair in job.predictions()["pair"]}
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    value = printed("combine", *request.runs, "--set", "steps=2", "--set", "examples=3",
                    "--set", "seeds=1")  # fmt: skip
    assert len(value["losses"]) == 18
    stored = printed("combine", *request.runs, "--save", "0.25,0.5")
    assert RunStore().open(stored["run"]).manifest()["mixture"]["shares"] == [0.25, 0.5]
    assert "together at most 1" in refused("combine", *request.runs, "--save", "0.9,0.5")
    assert "0.3,0.3" in refused("combine", *request.runs, "--save", "half")


@pytest.fixture
def pair(runs):
    """LoRA on two tasks of one random base."""
    return runs["lora"], trained("lora", task="miniworld_sentiment", settings={"rank": 3})


def test_the_line_ends_at_both_runs(pair):
    request = CombiningRequest.make({"runs": [run.id for run in pair], "steps": 2, "examples": 4})
    job = CombiningJob.create(request)
    assert combining.run_combining_job(job).state == "done"
    losses = job.losses()
    assert set(losses["seed"]) == {0, 1}
    assert sorted(set(losses["share"])) == [0, 0.5, 1]
    run = pair[1]
    own = losses[(losses["run"] == run.id) & (losses["seed"] == 0) & (losses["share"] == 1)]
    adapted, training = load_adapter(run, load("mine")), run.spec.training
    rows = tasks.find_task(run.spec.task).few_shot(training.shots, 0, training.dev).dev[:4]
    batch = ExampleBatcher(adapted.base, ()).batch(rows).repeated(2)
    with torch.no_grad():
        expected = adapted.losses(batch, adapted.centroid())[: len(rows)].mean()
    assert own["loss"].iloc[0] == pytest.approx(float(expected), abs=1e-4)
    rises = own_rises(losses)
    assert len(rises) == 4
    assert (rises["middle"] - rises["end"]).to_numpy() == pytest.approx(rises["rise"].to_numpy())
    predictions = job.predictions()
    assert predictions["cosine"].between(-1, 1).all()
    assert predictions["conflicts"].dropna().between(0, 1).all()


def test_a_mixture_is_stored_once_and_answers_as_its_changes_say(pair):
    base = load("mine")
    run = combining.save_mixture(pair, [0.25], base)
    assert combining.save_mixture(pair, [0.25], base).id == run.id
    found = RunStore().open(run.id)
    assert found.status().state == "done"
    assert found.spec.settings["rank"] == 5
    one, other = (changes(load_adapter(each, base), 1) for each in pair)
    for name, value in changes(load_adapter(found, base), 1).items():
        assert torch.allclose(value, 0.75 * one[name] + 0.25 * other[name], atol=1e-5)


def test_what_cannot_be_combined_is_refused(runs, pair):
    with pytest.raises(BadInput, match="itself"):
        combining.check_alike([runs["lora"], runs["lora"]])
    with pytest.raises(BadInput, match="one method"):
        combining.check_alike([runs["lora"], runs["atoms"]])
    with pytest.raises(BadInput, match="0, 1"):
        combining.save_mixture(pair, [1.5], load("mine"))


def test_the_command_stores_a_mixture(pair):
    value = printed("combine", pair[0].id, pair[1].id, "--save", "0.5")
    assert RunStore().open(value["run"]).manifest()["mixture"]["share"] == 0.5
