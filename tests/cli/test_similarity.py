"""`similarity`: hidden states of two runs, layer by layer."""

from support.commands import printed, refused
from support.runs import make_run


def test_a_run_is_compared_with_its_base_and_with_itself(runs):
    run = runs["spt"].id
    found = printed("similarity", run, "--examples", "4")
    assert set(found["stacks"]) == {"encoder", "decoder"}
    layers = found["stacks"]["encoder"]
    assert [row["layer"] for row in layers] == list(range(len(layers)))
    assert len(layers[0]["seeds"]) == runs["spt"].spec.population.seeds
    assert layers[0]["mean"] > 0.999  # soft tokens stand before the words and change none of them
    assert min(row["mean"] for row in layers) < 0.999
    own = printed("similarity", run, "--against", run, "--examples", "4")
    assert all(row["mean"] > 0.9999 for rows in own["stacks"].values() for row in rows)
    assert "name one with --task" in refused("similarity", "tiny-bert")


def test_the_gap_by_layer_is_printed_for_prompts_alone(runs):
    found = printed("scaling", runs["spt"].id, "--layers")
    names = {row["measure"] for row in found["layers"]}
    assert names == {"norm_ratio", "distance", "cosine"}
    lora = make_run("lora")
    assert "no soft tokens" in refused("scaling", lora.id, "--layers")
