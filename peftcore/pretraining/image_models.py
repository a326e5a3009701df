"""The two bases that generate images, before training: vocabulary, random weights, card.

They are decoders of GPT-2's kind over pixel tokens, so that every method applies unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peftcore.errors import unknown_name
from peftcore.tasks.images import canvas, digits, scenes

PAD, END, UNKNOWN, DRAW = "<|pad|>", "<|end|>", "<|unknown|>", "<|draw|>"


@dataclass(frozen=True)
class ImageModelConfig:
    """The size of a base that generates images, and which images."""

    world: str  # what its images show
    levels: int
    vocabulary: tuple[str, ...]  # of prompts
    width: int = 64
    layers: int = 4
    heads: int = 4
    positions: int = 192
    dropout: float = 0.0


IMAGE_MODELS: dict[str, ImageModelConfig] = {
    "tiny-digits": ImageModelConfig(
        "digits",
        digits.LEVELS,
        ("draw", "a", "an", "digit", "the", *digits.DIGIT_WORDS),
        dropout=0.05,
    ),
    "tiny-scenes": ImageModelConfig(
        "scenes",
        scenes.LEVELS,
        ("a", "an", "left", "right", "of", "above", "below", "at", "night", "draw", "and",
         *scenes.COLOURS, *scenes.SHAPES),
    ),
}  # fmt: skip
IMAGE_MODEL_NAMES = tuple(IMAGE_MODELS)
# Tokens a shipped base saw: each takes a few minutes on one core (a figure of the cards).
TOKENS = {"tiny-digits": 6_000_000, "tiny-scenes": 6_000_000}


def image_model_config(name: str) -> ImageModelConfig:
    """Return the size of a base that generates images; BadInput names those there are."""
    if name not in IMAGE_MODELS:
        raise unknown_name("base that draws", name, IMAGE_MODEL_NAMES)
    return IMAGE_MODELS[name]


def make_tokenizer(name: str) -> Any:
    """Build a tokenizer of whole words: prompts, a sign where the image begins, pixels."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    model_config = image_model_config(name)
    pixels = [
        canvas.pixel_word(index, level)
        for index in range(len(canvas.PIXELS))
        for level in range(model_config.levels)
    ]
    words = [PAD, END, UNKNOWN, DRAW, *model_config.vocabulary, *pixels]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=UNKNOWN))
    core.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace("\n", f" {DRAW} "),
            normalizers.Replace(Regex("[.,!?]"), " "),
        ]
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        clean_up_tokenization_spaces=False,
        model_max_length=model_config.positions,
        model_input_names=["input_ids", "attention_mask"],
        padding_side="left",
        pad_token=PAD,
        eos_token=END,
        bos_token=END,
        unk_token=UNKNOWN,
    )


def make_model(name: str, tokenizer: Any) -> Any:
    """Build a base with random weights.

    The embedding of a pixel token begins as its position plus its level, so that what is learned of
    a level at one position carries over to the others.
    """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from peftcore.tasks.images.sampling import pixel_token_ids

    model_config = image_model_config(name)
    size: dict[str, Any] = {
        "n_embd": model_config.width,
        "n_layer": model_config.layers,
        "n_head": model_config.heads,
        "n_inner": 4 * model_config.width,
        "n_positions": model_config.positions,
        "resid_pdrop": model_config.dropout,
        "embd_pdrop": model_config.dropout,
        "attn_pdrop": 0.0,
    }
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id, "draws": model_config.world}  # fmt: skip
    config = GPT2Config(vocab_size=len(tokenizer), **size, **ends)
    model: Any = GPT2LMHeadModel(config)
    ids = pixel_token_ids(tokenizer)
    pixel_vectors = torch.randn(ids.shape[0], 1, model_config.width) * 0.06
    level_vectors = torch.randn(1, ids.shape[1], model_config.width) * 0.06
    with torch.no_grad():
        model.get_input_embeddings().weight[ids.flatten()] = (
            pixel_vectors + level_vectors
        ).flatten(0, 1)
        model.get_parameter("transformer.wpe.weight").mul_(0.25)
    return model


_ABOUT = {
    "tiny-digits": """draws handwritten digits of eight by eight pixels with five levels of grey.
Learnt from 967 of scikit-learn's copy of the UCI digits (three fifths of its rows, without the
threes), shifted by a column where that loses nothing""",
    "tiny-scenes": """draws one coloured shape or two on eight by eight pixels, as told in words.
Learnt from generated scenes that never show a gate, night, "right of", and a fifth of the pairings
of colour with shape and of shapes in a relation""",
}


def write_card(name: str, out: Path, measured: dict[str, Any], parameters: int) -> None:
    """Write a README.md beside the weights: what it is, how it was made, measurements, limits."""
    model_config = image_model_config(name)
    points = [*measured["curve"], {k: v for k, v in measured.items() if k != "curve"}]
    figures = [key for key in points[-1] if key not in ("step", "seconds", "tokens", "seed",
                                                        "budget", "drawn")]  # fmt: skip
    row = lambda cells: "| " + " | ".join(cells) + " |"
    table = [row(["tokens", "minutes", *(key.replace("_", " ") for key in figures)])]
    table.append(row(["---"] * (len(figures) + 2)))
    for point in points:
        counts = [f"{point['tokens']:,}", f"{point['seconds'] / 60:.1f}"]
        table.append(row(counts + [f"{point[key]:g}" if key in point else "" for key in figures]))
    body = "\n".join(table)
    arguments = f"--tokens {measured['budget']} --seed {measured['seed']}"
    command = f"python -m peftcore pretrain {name} {arguments} --out assets/models/{name}"
    (out / "README.md").write_text(
        f"""# {name}

A decoder (GPT-2 layers, d {model_config.width}, {model_config.layers} layers, {model_config.heads}
heads) of {parameters / 1e6:.2f} million parameters that
{_ABOUT[name]}.

A picture is 64 words after the prompt, one a pixel, each naming its place and its level ("c5=2").
Prompts are whole words; any other word is unknown to it.

Made by `{command}`
on one processor core: {measured["step"]:,} steps, {measured["tokens"]:,} tokens. Stored in half
precision, computed in single.

{body}

{_MEASURES[name].format(drawn=measured["drawn"])}

Pictures are drawn at temperature 0.7. Made for showing how adapters work, not for use.
{_LICENCE[name]}
""",
        "utf-8",
    )


_MEASURES = {
    "tiny-digits": """Validation loss is in nats a pixel, on real pictures that were not learnt.
Alignment is the share of {drawn} drawn pictures in which a classifier, fitted on real pictures,
reads the digit that was asked for; unseen is how often it reads a three when a three is asked
for.""",
    "tiny-scenes": """Validation loss is in nats a pixel, on scenes drawn anew. The others are the
share of {drawn} drawn pictures each that show exactly what was asked for: scenes of the kinds that
were learnt (plain), of colours and shapes (pairing) and of relations (relation) kept apart, with
the unseen shape (concept), and at night (style).""",
}
_LICENCE = {
    "tiny-digits": """The pictures are the UCI "Optical Recognition of Handwritten Digits" (Alpaydin
and Kaynak, 1998; CC BY 4.0), as scikit-learn ships them.""",
    "tiny-scenes": "The licence is the project's own.",
}
