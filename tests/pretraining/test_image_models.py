"""Bases that draw: words, sizes, and a start at which a pixel is its place plus its level."""

import pytest
import torch

from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.paths import ASSETS
from peftcore.pretraining import image_models
from peftcore.tasks.images import canvas
from peftcore.tasks.images.sampling import pixel_token_ids
from peftcore.training import planning


@pytest.mark.parametrize("name", image_models.IMAGE_MODEL_NAMES)
def test_prompt_and_picture_are_whole_words(name):
    tokenizer = image_models.make_tokenizer(name)
    picture = tuple(place % 5 for place in range(64))
    ids = tokenizer(f"{'A'} three,\n{canvas.picture_to_words(picture)}", add_special_tokens=False)[
        "input_ids"
    ]
    assert len(ids) == 3 + 64
    assert ids[2] == tokenizer.convert_tokens_to_ids(image_models.DRAW)
    assert canvas.words_to_picture(tokenizer.decode(ids)) == picture
    assert tokenizer("purple-ish")["input_ids"] == [tokenizer.unk_token_id]


def test_a_pixel_begins_as_its_place_plus_its_level():
    torch.manual_seed(0)
    tokenizer = image_models.make_tokenizer("tiny-digits")
    words = image_models.make_model("tiny-digits", tokenizer).get_input_embeddings().weight.detach()
    table = words[pixel_token_ids(tokenizer)]  # (64, 5, d)
    steps = table[:, 1:] - table[:, :1]
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-6)


def test_an_unknown_base_gets_close_matches():
    with pytest.raises(BadInput, match="tiny-digits"):
        image_models.image_model_config("tiny-digit")


@pytest.mark.parametrize("name", image_models.IMAGE_MODEL_NAMES)
def test_a_shipped_base_is_small_and_says_what_it_draws(name):
    info = catalog.describe_base(name)
    assert info.kind == "decoder"
    assert info.image_world == image_models.image_model_config(name).world
    size = sum(f.stat().st_size for f in (ASSETS / "models" / name).iterdir())
    assert size < 3_000_000


def test_pictures_and_text_do_not_mix():
    with pytest.raises(BadInput, match=r"draws digits, and Miniworld.*asks for text"):
        planning.build_spec("tiny-digits", "miniworld_nli", "lora")
    with pytest.raises(BadInput, match=r"writes text, and .* pictures of digits"):
        planning.build_spec("tiny-gpt", "pictures_digit", "lora")
    with pytest.raises(BadInput, match="draws scenes"):
        planning.build_spec("tiny-scenes", "pictures_digit", "lora")
    assert planning.build_spec("tiny-digits", "pictures_digit", "lora").base == "tiny-digits"
