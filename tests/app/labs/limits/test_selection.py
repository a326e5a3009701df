"""Which run and layer the Limits page is about."""

from support.limits_page import opened, words

from app.labs.limits import cache as limits_cache
from app.state import cache
from peftcore.runs.store import RunStore


def test_without_runs_it_says_what_to_do_next(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    assert "No adapter to look into yet" in words(opened(started=False))


def test_methods_without_effect_on_layers_are_not_offered():
    methods = {run.spec.method for run in limits_cache.candidate_runs()}
    assert {"prefix_tuning", "lora"} <= methods
    assert not {"prompt_tuning", "spt", "linear_probe"} & methods
    assert limits_cache.has_prefix(limits_cache.candidate_runs()[0])
