"""`why`, of the shipped run of LoRA on tiny-t5."""

import pytest
from support.commands import call, printed, refused

LORA = "5a7da5def8b7"
ON = ("--text", "the cat sees the dog", "--target", "yes")


def test_every_kind_prints_what_it_measured():
    lens = printed("why", LORA, *ON)
    assert set(lens["readings"]) == {"before", "after"}
    assert len(lens["readings"]["after"]["probability"]) == len(lens["layers"])
    patch = printed("why", LORA, *ON, "--kind", "patch")
    assert patch["gap"] < 1e-4
    left = printed("why", LORA, *ON, "--kind", "leave-out")
    assert len(left["added"]["after"]) == len(left["tokens"])


def test_gradients_and_heads_are_printed_with_what_they_sum_to():
    found = printed("why", LORA, *ON, "--kind", "gradient")
    for side in ("before", "after"):
        totals = [sum(column) for column in zip(*found["added"][side], strict=True)]
        assert totals == pytest.approx(found["sums"][side], rel=0.05, abs=0.05)
    whole = printed("why", LORA, *ON, "--kind", "integrated", "--word", "1")
    assert [len(row) for row in whole["added"]["after"]] == [1] * len(whole["tokens"])
    heads = printed("why", LORA, *ON, "--kind", "heads", "--into", "after")
    assert set(heads["odds"]) == {"encoder", "decoder", "cross"}


@pytest.mark.parametrize("kind", ["lens", "patch", "heads", "leave-out", "integrated"])
def test_people_read_a_table(kind):
    done = call("why", LORA, *ON, "--kind", kind)
    assert done.exit_code == 0
    assert "before" in done.stdout


def test_a_seed_that_is_not_there_is_refused():
    assert "seed must lie in" in refused("why", LORA, *ON, "--seed", "9")
