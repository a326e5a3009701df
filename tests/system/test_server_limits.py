"""Limits are settings: named in each refusal, listed by a command, and each has its variable."""

import re

import pytest
from support.commands import call, printed, refused

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.system import server_limits
from peftcore.system.server_limits import LIMITS, SEED_STEPS


def test_the_list_names_every_limit_once_with_what_counts_now(monkeypatch):
    monkeypatch.setenv("PEFTCORE_MAX_POINTS", "7")
    rows = {row["setting"]: row for row in printed("server-limits")}
    assert list(rows) == [limit.variable for limit in LIMITS]
    assert (rows["PEFTCORE_MAX_POINTS"]["value"], rows["PEFTCORE_MAX_POINTS"]["default"]) == (
        7,
        20_000,
    )
    assert all(re.fullmatch(r"PEFTCORE_MAX_[A-Z_]+", name) for name in rows)
    text = call("server-limits").stdout
    assert all(name in text for name in rows)


def test_each_limit_is_checked_somewhere_and_named_in_the_readme():
    names = {name for name, each in vars(server_limits).items() if each in LIMITS}
    sources = "\n".join(
        path.read_text()
        for folder in ("peftcore", "app")
        for path in (paths.ROOT / folder).rglob("*.py")
    )
    assert {name for name in names if f"server_limits.{name}." in sources} == names
    assert "server-limits" in (paths.ROOT / "README.md").read_text()


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "٣", "9" * 40])
def test_a_setting_that_is_no_number_is_refused_by_its_name(monkeypatch, text):
    monkeypatch.setenv(SEED_STEPS.variable, text)
    with pytest.raises(BadInput, match=f"{SEED_STEPS.variable} must be a whole number from 1"):
        SEED_STEPS.check(1, "nothing")


def test_what_is_asked_the_limit_and_its_setting_are_named():
    with pytest.raises(BadInput) as refusal:
        SEED_STEPS.check(300_000, "this is 300,000", "take less")
    assert str(refusal.value) == (
        "this is 300,000; at most 250,000 seeds × vertices × steps (PEFTCORE_MAX_SEED_STEPS): "
        "take less"
    )
    SEED_STEPS.check(250_000, "as much as is allowed")


TRAIN = ("train", "--base", "tiny-bert", "--task", "miniworld_nli", "--method", "lora")


def test_a_run_beyond_the_limit_is_refused_before_it_starts(home):
    message = refused(*TRAIN, "--seeds", "64", "--steps", "5000")
    assert "64 seeds × 5,000 steps are 320,000; at most 250,000" in message
    assert "PEFTCORE_MAX_SEED_STEPS" in message
    assert not list(home.glob("runs/*"))
    sized = refused(*TRAIN, "--seeds", "8", "--vertices", "3", "--steps", "20000")
    assert "8 seeds × 3 vertices × 20,000 steps" in sized


def test_a_large_run_is_announced_with_its_estimate(home, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MAX_SEED_STEPS", "30")
    sizes = ("--seeds", "2", "--steps", "2", "--shots", "4", "--set", "dev=2", "--set", "limit=2")
    message = call(*TRAIN, *sizes).stderr
    assert re.search(r"4 of at most 30 .*PEFTCORE_MAX_SEED_STEPS\): about \d+ minutes", message)
    monkeypatch.setenv("PEFTCORE_MAX_SEED_STEPS", "3000")
    assert "PEFTCORE_MAX" not in call(*TRAIN, *sizes, "--set", "limit=3").stderr
