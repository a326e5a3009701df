"""Pretraining of bases that draw: what they may see, batches, a short run."""

import random

import pytest
import torch

from peftcore.errors import BadInput
from peftcore.pretraining import images, text
from peftcore.pretraining.image_models import make_model, make_tokenizer
from peftcore.tasks.images import canvas, digits, scenes


def course(name):
    torch.manual_seed(0)
    tokenizer = make_tokenizer(name)
    return images._ImageTrainer(name, make_model(name, tokenizer), tokenizer, 0, 192)


def test_threes_and_kept_scenes_are_never_seen():
    rng = random.Random(0)
    prompts = {images.sample_pair("tiny-digits", rng)[0] for _ in range(400)}
    assert not any("three" in prompt for prompt in prompts)
    assert {p.split()[-1] for p in prompts} == set(digits.SEEN_DIGITS)
    for _ in range(200):
        scene = scenes.parse_prompt(images.sample_pair("tiny-scenes", rng)[0])
        assert scene is not None
        assert scenes.scene_kind(scene) == "plain"


def test_a_picture_moves_by_a_column_only_where_nothing_is_lost():
    narrow = canvas.code_to_picture("/".join(["00120000"] * 8))
    assert canvas.picture_to_code(images.shift_columns(narrow, 1)) == "/".join(["00012000"] * 8)
    assert canvas.picture_to_code(images.shift_columns(narrow, -1)) == "/".join(["01200000"] * 8)
    wide = canvas.code_to_picture("/".join(["10000002"] * 8))
    assert images.shift_columns(wide, 1) == wide
    assert images.shift_columns(wide, -1) == wide


def test_the_loss_counts_pixels_fully_prompts_little_and_padding_not():
    made = course("tiny-scenes")
    pairs = [("a red ring", (0,) * 64), ("a red ring left of a blue square", (0,) * 64)]
    ids, weights, starts = made.batch(pairs)
    assert ids.shape == weights.shape == (2, 1 + 9 + 64 + 1)
    assert weights[0].tolist() == [*[pytest.approx(0.1)] * 5, *[1.0] * 65, *[0.0] * 5]
    assert int(starts.max()) + ids.shape[1] <= 192


def test_a_short_run_learns_and_writes_a_base(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_INTERIM_COUNT", 2)
    monkeypatch.setattr(images, "_FINAL_COUNT", 2)
    seen = []
    found = text.pretrain_base("tiny-scenes", tmp_path / "made", 6_000, 3, seen.append)
    assert found["step"] == 3
    assert set(found) >= {"validation_loss", "plain", "pairing", "relation", "concept", "style"}
    assert found["validation_loss"] < torch.log(torch.tensor(480.0))  # better than at random
    card = (tmp_path / "made" / "README.md").read_text("utf-8")
    assert "pretrain tiny-scenes --tokens 6000 --seed 3" in card
    assert (tmp_path / "made" / "model.safetensors").stat().st_size < 3_000_000
    with pytest.raises(BadInput, match="in one go"):
        text.pretrain_base("tiny-scenes", tmp_path, 10, 0, seen.append, start=tmp_path / "made")
