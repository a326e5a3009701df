"""`scaling`: soft prompts of a real run of a tiny random base."""

import pytest
from support.commands import printed
from typer.testing import CliRunner

from peftcore.cli import app


def test_scaling_tells_tokens_gap_and_drift_of_every_seed(runs):
    result = printed("scaling", runs["spt"].id)
    assert result["steps"] == [0, 2, 4]
    assert [seed["seed"] for seed in result["seeds"]] == [0, 1]
    for seed in result["seeds"]:
        assert seed["scale_by_step"][0] == pytest.approx([1.0] * 5)
        for token in seed["tokens"]:
            length = abs(token["scale"]) * token["length_before"]
            assert token["length_after"] == pytest.approx(length, rel=1e-5)
            assert token["step_factor_across"] == pytest.approx(token["scale"] ** 2)
            assert len(token["nearest_after"]) == 3
        gap = seed["gap"]["after"]["energy"]
        assert 0 < gap["p"] <= 1
        assert gap["chance_low"] <= gap["chance_high"]
    drift = result["drift"]
    assert drift["plain"] == runs["prompt_tuning"].id
    assert [seed[0] for seed in drift["apart"]] == [0.0, 0.0]
    assert all(seed[-1] > 0 for seed in drift["apart"])


def test_prompt_tuning_has_no_drift_from_itself(runs):
    result = printed("scaling", runs["prompt_tuning"].id)
    assert result["drift"] is None
    assert result["rate_ratio"] is None
    assert result["seeds"][0]["gap"]["before"] == result["seeds"][0]["gap"]["after"]


def test_scaling_is_a_table_for_people(runs):
    done = CliRunner().invoke(app, ["scaling", runs["spt"].id])
    assert done.exit_code == 0
    assert "norm_ratio" in done.stdout
    assert "nearest word" in done.stdout
