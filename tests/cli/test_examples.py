"""`examples` reads a task; `--episode` names the same rows in every process."""

import json
import os
import random
import subprocess
import sys

import pytest
from support.commands import printed, refused

from peftcore import paths
from peftcore.tasks.comve import ComVE


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    folder = tmp_path / "comve"
    folder.mkdir()
    texts = dict.fromkeys(("sent0", "sent1", "explanation_1", "explanation_2"), "x")
    for split, count in (("train", 40), ("validation", 360)):
        lines = [json.dumps(texts | {"label": n % 2}) for n in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), "utf-8")


def asked_anew(*options, seed):
    """What a process of its own prints."""
    command = [sys.executable, "-m", "peftcore", "examples", "comve", *options]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run(command, capture_output=True, text=True, cwd=paths.ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_examples_are_shown_as_they_are_read(data):
    result = printed("examples", "comve", "--split", "validation", "--limit", "2")
    assert result["rows"] == 360
    assert [row["id"] for row in result["examples"]] == ["validation-0", "validation-1"]
    assert result["examples"][0]["target"] == "choice1 because x"


def independently_drawn(number):
    """The draw written down once more: shuffle, deal by label, cut, shuffle."""
    rng = random.Random(f"comve/train/{number}")
    ids = [f"train-{n}-{place}" for n in range(40) for place in range(2)]
    ids = rng.sample(ids, 80)
    piles = [[i for i in ids if int(i.split("-")[1]) % 2 == label] for label in (0, 1)]
    dealt = [one for pair in zip(*piles, strict=True) for one in pair][:48]
    rng.shuffle(dealt)
    return dealt


def test_an_episode_is_the_same_in_every_process(data):
    result = asked_anew("--episode", "7", "--json", seed="9")
    assert result == asked_anew("--episode", "7", "--json", seed="0")
    here = ComVE().episode(7)
    assert result["train"] == [row.id for row in here.train] == independently_drawn(7)
    assert result["dev"] == [row.id for row in here.dev]
    assert (len(result["train"]), len(result["dev"])) == (48, 350)


def test_there_are_sixty_episodes(data):
    error = refused("examples", "comve", "--episode", "60")
    assert error == "Error: ComVE nonsense has episodes 0 to 59; got 60"
