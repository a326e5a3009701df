"""Drawing by chance that can be repeated: noise of a key, one place after another."""

import torch

from peftcore.pretraining.image_models import make_tokenizer
from peftcore.tasks.images import canvas, sampling


def sampled(logits, keys, temperature=1.0):
    """What a sampler makes of the same logits at every place, as pictures."""
    tokenizer = make_tokenizer("tiny-digits")
    sampler = sampling.PixelSampler(tokenizer, keys, temperature)
    columns = []
    for _ in canvas.PIXELS:
        scores = sampler(torch.zeros(len(keys), 0), logits.expand(len(keys), -1))
        columns.append(scores.argmax(-1))
    rows = torch.stack(columns, 1).tolist()
    return [canvas.words_to_picture(tokenizer.decode(row)) for row in rows]


def logits_of(shares):
    """Logits of a vocabulary in which every place has these shares of levels."""
    tokenizer = make_tokenizer("tiny-digits")
    found = torch.full((len(tokenizer),), 50.0)  # a word that is no pixel would win by far
    found[sampling.pixel_token_ids(tokenizer)] = torch.tensor(shares).log()
    return found


def test_only_the_levels_of_the_place_are_drawn_and_as_often_as_they_should():
    pictures = sampled(logits_of([0.5, 0.25, 0.125, 0.125, 1e-9]), [str(i) for i in range(60)])
    levels = torch.tensor(pictures).flatten()
    shares = [float((levels == level).float().mean()) for level in range(5)]
    assert [round(share, 1) for share in shares[:2]] == [0.5, 0.2] or abs(shares[1] - 0.25) < 0.03
    assert abs(shares[0] - 0.5) < 0.03
    assert abs(shares[2] - 0.125) < 0.02
    assert shares[4] == 0.0


def test_a_key_draws_the_same_whatever_is_drawn_beside_it():
    logits = logits_of([0.2] * 5)
    alone, beside = sampled(logits, ["k"]), sampled(logits, ["x", "k", "y"])
    assert alone[0] == beside[1]
    assert beside[0] != beside[1]


def test_little_temperature_takes_the_likeliest():
    assert sampled(logits_of([0.1, 0.1, 0.5, 0.2, 0.1]), ["k"], 1e-4) == [(2,) * 64]


def test_noise_has_the_mean_of_gumbels_law():
    values = torch.cat([sampling.gumbel_noise(str(i), 5).flatten() for i in range(40)])
    assert abs(float(values.mean()) - 0.5772) < 0.03
