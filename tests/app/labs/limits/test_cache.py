"""Which runs the Limits page can look into."""

from app.labs.limits import cache as limits_cache


def test_methods_without_effect_on_layers_are_not_offered():
    methods = {run.spec.method for run in limits_cache.candidate_runs()}
    assert {"prefix_tuning", "lora"} <= methods
    assert not {"prompt_tuning", "spt", "linear_probe"} & methods
    assert limits_cache.has_prefix(limits_cache.candidate_runs()[0])
