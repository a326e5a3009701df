"""`python -m peftcore attention`: the numbers of the page, for programs and for people."""

import json

import pytest
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.runs.store import RunStore


def lora():
    """The id of the shipped run of LoRA in the decoder of tiny-t5."""
    return next(
        run.id
        for run in RunStore().all()
        if run.demo and run.spec.method == "lora" and run.spec.settings["stacks"] == ["decoder"]
    )


def call(*arguments):
    return CliRunner().invoke(app, ["attention", *arguments], catch_exceptions=False)


def printed(*arguments):
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def models(tiny, tmp_path, monkeypatch):
    """Two random bases in a folder of one's own."""
    for family in ("t5", "bert"):
        tiny(family).model.save_pretrained(tmp_path / f"random-{family}")
        tiny(family).tokenizer.save_pretrained(tmp_path / f"random-{family}")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def test_a_shipped_run_moved_where_it_was_trained_and_nowhere_else():
    found = printed(lora(), "--example", "1", "--layer", "2", "--head", "3")["places"]
    assert max(map(max, found["encoder"]["moved"])) == 0
    assert max(map(max, found["cross"]["moved"])) > 0.05
    cross = found["cross"]
    assert (cross["layer"], cross["head"]) == (2, 3)
    assert len(cross["after"]) == len(cross["queries"])
    assert sum(cross["after"][0]) == pytest.approx(1, abs=1e-5)


def test_a_base_reads_hostile_text_as_text(models):
    found = printed("random-bert", "--text", "</script><s> || a cat")
    keys = found["places"]["encoder"]["keys"]
    assert [key["part"] for key in keys].count(2) == len("a cat")
    assert found["target"] is None


def test_statistics_have_limits_over_seeds():
    found = printed(lora(), "--statistics", "2", "--place", "cross")["places"]["cross"]
    assert (found["examples"], found["seeds"]) == (2, 4)
    first = found["measures"]["entropy"][0]
    assert first["before"]["low"] is None
    assert first["after"]["low"] < first["after"]["mean"] < first["after"]["high"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["random-t5", "--text", "a", "--layer", "9"], "layer must lie in [1, 2]"),
        (["random-t5", "--text", "a", "--place", "crss"], "did you mean 'cross'"),
        (["random-t5", "--text", "a", "--against", "random-bert"], "only runs of one base"),
        (["random-t5", "--text", "a", "--seed", "3"], "seed must lie in [0, 0]"),
        (["random-t5", "--statistics", "2"], "name one with --task"),
        (["random-t5"], "type a text first"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(models, words, message):
    done = call(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_people_get_tables(models):
    done = call("random-t5", "--text", "the cat", "--target", "the dog")
    assert "decoder: 2 layers, 2 heads" in done.stdout
    assert "share of attention that looks elsewhere now" in done.stdout


def test_values_are_weighed_in_and_sum_to_the_output():
    found = printed(lora(), "--text", "the cat sees", "--target", "yes", "--values")
    for place in found["places"].values():
        assert max(place["value_gap"]) < 1e-4
        assert sum(place["after"][0]) == pytest.approx(1, abs=1e-4)
