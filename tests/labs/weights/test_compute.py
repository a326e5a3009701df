"""A measurement from its request to its tables."""

import pytest
from support.commands import printed, refused

from peftcore.errors import BadInput
from peftcore.labs.weights.compute import run_weights_job
from peftcore.labs.weights.request import WeightsJob, WeightsRequest, site_means


def measured(*runs, **fields):
    """A measurement brought to its end."""
    job = WeightsJob.create(WeightsRequest.make({"runs": runs, "examples": 2} | fields))
    assert run_weights_job(job).state == "done"
    return job


def test_every_site_of_every_seed_is_measured(runs):
    job = measured(runs["lora"].id)
    sites = job.sites()
    assert set(sites["seed"]) == {0, 1}
    assert (sites.groupby("path").size() == 2).all()
    assert sites["relative"].gt(0).all()
    assert sites["effect"].gt(0).all()
    assert sites["stable_rank"].between(1, 2.0001).all()  # LoRA of rank 2
    assert sites["values"].map(lambda each: sum(v > 1e-6 * each[0] for v in each)).le(2).all()
    assert sites["intruders"].between(0, 10).all()
    trained = job.trained()
    assert trained["count"].sum() == runs["lora"].status().trainable
    means = site_means(sites, "relative")
    assert (means["count"] == 2).all()
    assert (means["min"] <= means["mean"]).all()
    assert (means["mean"] <= means["max"]).all()


def test_directions_of_a_run_beside_itself_are_the_same(runs):
    lora = runs["lora"].id
    overlaps = measured(lora, lora).overlaps()
    same = overlaps[overlaps["seeds"].map(lambda pair: pair[0] == pair[1])]
    other = overlaps[overlaps["seeds"].map(lambda pair: pair[0] != pair[1])]
    assert same[["inputs", "outputs"]].to_numpy() == pytest.approx(1)
    assert other["inputs"].lt(0.99).all()
    between_seeds = measured(lora).overlaps()
    first = other[other["seeds"].map(lambda pair: pair[0] == 0)].reset_index(drop=True)
    assert first["inputs"].to_numpy() == pytest.approx(between_seeds["inputs"].to_numpy())


def test_an_intruder_is_what_the_threshold_says(runs):
    strict = measured(runs["lora"].id, cosine=0.99).sites()
    lax = measured(runs["lora"].id, cosine=0.01).sites()
    assert strict["intruders"].ge(lax["intruders"]).all()
    assert strict["intruders"].sum() > lax["intruders"].sum() == 0


def test_one_or_two_runs_are_measured_and_no_more(runs):
    with pytest.raises(BadInput, match="runs"):
        WeightsRequest.make({"runs": (runs["lora"].id,) * 3})
    assert "no run" in refused("weights", "0123456789ab")


def test_the_command_prints_what_the_job_has(runs):
    value = printed("weights", runs["lora"].id, "--set", "examples=1")
    job = WeightsJob.find(WeightsRequest.make({"runs": [runs["lora"].id], "examples": 1}))
    assert len(value["sites"]) == len(job.sites())
    assert value["state"] == "done"
