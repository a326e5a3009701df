"""Why a model answers as it does, before and after an adapter: three measurements of one example.

`read_lens` reads the answer off every layer; `patch_layers` puts one layer's output of one model
into the other; `leave_out` takes one token of the text away.  Axes: l layers, t' target tokens,
i tokens of the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peftcore.analysis.layer_similarity import linear_cka, mean_cosine
from peftcore.errors import BadInput
from peftcore.labs.attention.capture import check_length, example_tokens
from peftcore.labs.attention.inner_passes import ROWS_AT_ONCE, Layer, LayerStates, put_in_place
from peftcore.models.batching import ExampleBatcher, pad_rows
from peftcore.models.token_names import text_names

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch, TokenizedExample

Array = NDArray[np.float64]
SIDES = ("before", "after")


@dataclass(frozen=True)
class LensReading:
    """The next word that every layer of the decoder would write, for one model.

    probability: (l, t') of each target token; top: the likeliest token in its place.
    """

    probability: Array
    top: tuple[tuple[str, ...], ...]
    top_probability: Array


@dataclass(frozen=True)
class Lens:
    """Both models' readings of one example, and how alike their states are."""

    targets: tuple[str, ...]  # (t')
    layers: tuple[int, ...]  # (l), from 1
    readings: dict[str, LensReading]  # by side
    similarity: tuple[tuple[str, int, float, float], ...]  # stack, layer from 1, cosine, CKA


@dataclass(frozen=True)
class Patching:
    """The adapted model's word at one position, in log-odds, with one layer's output exchanged.

    given: adapted outputs put into the model before; taken: outputs of the model before put into
    the adapted one, both (l + 1,), the last with all layers exchanged.
    """

    layers: tuple[Layer, ...]
    targets: tuple[str, ...]
    position: int  # of the word, from 0
    word: str  # what the adapted model writes there
    other_word: str  # what the model before writes there
    before: float
    after: float
    given: Array
    taken: Array
    given_words: tuple[str, ...]
    taken_words: tuple[str, ...]
    gap: float  # largest difference of logits between all layers given and the adapted model

    @property
    def differs(self) -> bool:
        """Return whether the two models write different words there."""
        return self.word != self.other_word


@dataclass(frozen=True)
class LeftOut:
    """The share of each token of the text in the log-likelihood of each target token.

    added: (i, t') by side, the log-likelihood less that without the token; together: (t',) the
    same with all of these tokens left out at once.
    """

    tokens: tuple[str, ...]
    targets: tuple[str, ...]
    whole: dict[str, Array]  # (t') log-likelihood with the whole text
    added: dict[str, Array]
    together: dict[str, Array]

    def by_token(self, side: str, column: int | None = None) -> Array:
        """Return what each token adds, (i,): to one target token, or to the whole answer."""
        added = self.added[side]
        return added.sum(1) if column is None else added[:, column]


def one_row(adapted: AdaptedModel, example: Example) -> Batch:
    """Return an example as a batch of one row, with room for soft tokens."""
    room = adapted.adapter.prompt_length(adapted.adapter.config)
    return ExampleBatcher(adapted.base, (), room).batch([example])


def _pair(
    before: AdaptedModel, after: AdaptedModel, example: Example, seed_index: int
) -> tuple[dict[str, LayerStates], Batch]:
    """Return both models with their layers open, and the example; BadInput if it is too long."""
    check_length(after.base, example)
    models = {
        "before": LayerStates(before, min(seed_index, before.seeds - 1)),
        "after": LayerStates(after, seed_index),
    }
    return models, one_row(after, example)


def words_of(adapted: AdaptedModel, ids: Sequence[int]) -> tuple[str, ...]:
    """Name tokens one by one, as words that a model may write next."""
    return tuple(text_names(adapted.base.tokenizer, [each])[0] for each in ids)


def _text(adapted: AdaptedModel, ids: Sequence[int]) -> tuple[str, ...]:
    """Name the tokens of one text in their order."""
    return text_names(adapted.base.tokenizer, ids)


def _target_ids(batch: Batch) -> Tensor:
    """Return the ids (t',) of the target of a batch of one row."""
    assert batch.targets is not None, "a base that writes has targets"
    return batch.targets[0]


def read_lens(
    before: AdaptedModel, after: AdaptedModel, example: Example, seed_index: int = 0
) -> Lens:
    """Read the target off every layer of both models, and compare their states layer by layer."""
    models, batch = _pair(before, after, example, seed_index)
    targets = _target_ids(batch)
    readings: dict[str, LensReading] = {}
    states: dict[str, Mapping[Layer, Tensor]] = {}
    for side, model in models.items():
        states[side] = model.run(batch).states
        parts = [_reading(after, logits, targets) for logits in model.read_layers(batch)]
        readings[side] = _joined(parts)
    similarity = []
    for layer in models["after"].layers:
        both = [states[side][layer][0].double().cpu().numpy() for side in SIDES]
        count = min(map(len, both))  # soft tokens stand in front
        one, other = (each[-count:] for each in both)
        similarity.append((layer[0], layer[1] + 1, mean_cosine(one, other), linear_cka(one, other)))
    depth = tuple(number + 1 for stack, number in models["after"].layers if stack == "decoder")
    return Lens(_text(after, targets.tolist()), depth, readings, tuple(similarity))


def _reading(adapted: AdaptedModel, logits: Tensor, targets: Tensor) -> LensReading:
    """Put logits (l, t', words) into probabilities and words."""
    logs = logits.log_softmax(-1)
    probabilities = logs.exp()
    best, ids = probabilities.max(-1)
    own = probabilities.gather(-1, targets.expand(len(logits), -1)[..., None])[..., 0]
    return LensReading(
        own.double().cpu().numpy(),
        tuple(words_of(adapted, row) for row in ids.tolist()),
        best.double().cpu().numpy(),
    )


def _joined(parts: Sequence[LensReading]) -> LensReading:
    """Join readings of some layers each."""
    return LensReading(
        np.concatenate([part.probability for part in parts]),
        tuple(row for part in parts for row in part.top),
        np.concatenate([part.top_probability for part in parts]),
    )


def patch_layers(
    before: AdaptedModel, after: AdaptedModel, example: Example, seed_index: int = 0
) -> Patching:
    """Exchange the output of one layer at a time between both models, in both directions.

    Looked at is the first word on which the two disagree while they read the target; where they
    agree on all, the one whose log-odds change most.
    """
    models, batch = _pair(before, after, example, seed_index)
    targets = _target_ids(batch)
    passes = {side: model.run(batch) for side, model in models.items()}
    looked_at = find_word({side: passes[side].logits[0] for side in SIDES})
    position = looked_at.position
    layers = models["after"].layers
    found: dict[str, Array] = {}
    words: dict[str, tuple[str, ...]] = {}
    whole: dict[str, Tensor] = {}
    for side, other in (("before", "after"), ("after", "before")):
        here, whole[side] = _patched(models[side], batch, passes[other].states, position)
        word = torch.full((len(here),), looked_at.word, device=here.device)
        found[side] = log_odds(here, word).double().cpu().numpy()
        words[side] = words_of(after, here.argmax(-1).tolist())
    return Patching(
        tuple(layers),
        _text(after, targets.tolist()),
        position,
        words_of(after, [looked_at.word])[0],
        words_of(after, [looked_at.other_word])[0],
        looked_at.odds["before"],
        looked_at.odds["after"],
        found["before"],
        found["after"],
        words["before"],
        words["after"],
        float((whole["before"] - passes["after"].logits[0]).abs().max()),
    )


@dataclass(frozen=True)
class LookedAt:
    """The place in the target at which two models are compared, and the words they write there.

    odds: of the word that the adapted model writes, by side.
    """

    position: int
    word: int
    other_word: int
    odds: dict[str, float]


def find_word(logits: Mapping[str, Tensor]) -> LookedAt:
    """Find the first word on which two models disagree, from the logits (t, words) of each side.

    Where they agree on all, it is the one whose log-odds change most.
    """
    best = {side: logits[side].argmax(-1) for side in SIDES}
    odds = {side: log_odds(logits[side], best["after"]) for side in SIDES}
    apart = (best["before"] != best["after"]).nonzero()[:, 0]
    change = (odds["after"] - odds["before"]).abs()
    position = int(apart[0]) if len(apart) else int(change.argmax())
    return LookedAt(
        position,
        int(best["after"][position]),
        int(best["before"][position]),
        {side: float(odds[side][position]) for side in SIDES},
    )


def log_odds(logits: Tensor, words: Tensor) -> Tensor:
    """Return log p − log (1 − p) (n,) of one word (n,) for each row of logits (n, words)."""
    own = logits.gather(-1, words[:, None])[:, 0]
    rest = logits.scatter(-1, words[:, None], -torch.inf).logsumexp(-1)
    return own - rest


def _patched(
    model: LayerStates, batch: Batch, states: Mapping[Layer, Tensor], position: int
) -> tuple[Tensor, Tensor]:
    """Exchange each layer's output in turn, then all at once.

    Returns logits at one position (l + 1, words), and those (t', words) with all exchanged.
    """
    rows = [{layer} for layer in model.layers] + [set(model.layers)]
    found: list[Tensor] = []
    whole = torch.empty(0)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]

        def exchange(layer: Layer, out: Tensor, part: Sequence[set[Layer]] = part) -> Tensor:
            """Exchange the output (n, t, d) of the layers of each row."""
            out = out.clone()
            for row, exchanged in enumerate(part):
                if layer in exchanged:
                    out[row] = put_in_place(out[row], states[layer][0])
            return out

        logits = model.run(batch.repeated(len(part)), exchange).logits
        found.append(logits[:, position])
        whole = logits[-1]
    return torch.cat(found), whole


def text_places(base: BaseModel, example: Example, count: int) -> tuple[list[int], tuple[str, ...]]:
    """Return where the text's own tokens stand among the first `count` that are read, and names.

    Special tokens and the answer do not count; BadInput for a text of nothing.
    """
    tokens = example_tokens(base, example)[0][:count]
    places = [n for n, token in enumerate(tokens) if token.kind == "content"]
    if not places:
        raise BadInput("this text has no token of its own that could be left out")
    return places, tuple(tokens[place].text for place in places)


def leave_out(
    before: AdaptedModel, after: AdaptedModel, example: Example, seed_index: int = 0
) -> LeftOut:
    """Leave out one token of the text at a time: what did it add to each target token?"""
    check_length(after.base, example)
    room = after.adapter.prompt_length(after.adapter.config)
    whole = ExampleBatcher(after.base, (), room).tokenize(example)
    places, names = text_places(after.base, example, len(whole.input_ids))
    keep = [
        [n for n in range(len(whole.input_ids)) if n not in dropped]
        for dropped in (set(), *({place} for place in places), set(places))
    ]
    rows = [replace(whole, input_ids=[whole.input_ids[n] for n in kept]) for kept in keep]
    logs = {
        side: _log_likelihoods(LayerStates(model, min(seed_index, model.seeds - 1)), rows)
        for side, model in (("before", before), ("after", after))
    }
    return LeftOut(
        names,
        _text(after, whole.target_ids),
        {side: values[0] for side, values in logs.items()},
        {side: values[0] - values[1:-1] for side, values in logs.items()},
        {side: values[0] - values[-1] for side, values in logs.items()},
    )


def _log_likelihoods(model: LayerStates, rows: Sequence[TokenizedExample]) -> Array:
    """Return the log-likelihood (n, t') of the same target tokens after each of these texts.

    Texts of one length go through together, so nothing is padded.
    """
    found: list[Array] = []
    targets = torch.tensor(rows[0].target_ids)
    for _, group in itertools.groupby(rows, key=lambda row: len(row.input_ids)):
        same = list(group)
        for start in range(0, len(same), ROWS_AT_ONCE):
            part = same[start : start + ROWS_AT_ONCE]
            logs = model.run(pad_rows(model.adapted.base, part)).logits.log_softmax(-1)
            own = logs.gather(-1, targets.expand(len(part), -1)[..., None])[..., 0]
            found.append(own.double().cpu().numpy())
    return np.concatenate(found)
