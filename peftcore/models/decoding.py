"""How bases write: greedily or with beams, and by no other setting.

A folder's own generation_config.json (or, in old folders, its config.json) may ask for sampling,
penalties, forced or forbidden tokens. None of that enters here, so that two bases of equal weights
answer equally.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

TOKEN_SETTINGS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
# What writes the same whether or not it is set: ids of tokens, what a pass returns or keeps, the
# library's own defaults, and limits, which we always name.
WITHOUT_EFFECT = frozenset(
    {*TOKEN_SETTINGS, "transformers_version", "use_cache", "max_length", "max_new_tokens"}
    | {"output_attentions", "output_hidden_states", "output_scores", "output_logits"}
    | {"return_dict_in_generate", "cache_implementation", "cache_config"}
)
USUAL_VALUES: Mapping[str, Any] = {
    **{"do_sample": False, "num_beams": 1, "num_beam_groups": 1, "num_return_sequences": 1},
    **{"temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "diversity_penalty": 0.0},
    **{"epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "early_stopping": False, "min_length": 0},
    **{"repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "length_penalty": 1.0},
    **{"no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "is_assistant": False},
}


def settings_set_aside(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a base's own generation settings that would change what it writes."""
    return {
        name: value
        for name, value in sorted(own.items())
        if not name.startswith("_")
        and name not in WITHOUT_EFFECT
        and value not in (None, [], {}, "")
        and not (name in USUAL_VALUES and value == USUAL_VALUES[name])
    }


def set_neutral(model: Any) -> dict[str, Any]:
    """Give a model neutral generation settings, in place; return what of its own is set aside."""
    from transformers import GenerationConfig

    own = getattr(model, "generation_config", None)
    if own is None:  # it reads only
        return {}
    # Training shifts its targets behind the start token of the config, so answers begin with it.
    ids = {
        name: getattr(model.config, name, None)
        if getattr(model.config, name, None) is not None
        else getattr(own, name, None)
        for name in TOKEN_SETTINGS
    }
    model.generation_config = GenerationConfig(**ids)
    return settings_set_aside(own.to_diff_dict())


def search_options(tokenizer: Any, max_new_tokens: int, beams: int = 1) -> dict[str, Any]:
    """Return the options with which `generate` answers: greedily, or with so many beams."""
    return {
        "max_new_tokens": max_new_tokens,
        "num_beams": beams,
        "do_sample": False,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


class TimeWatch:
    """A stopping criterion of `generate`: ends it after some seconds, and may be asked to stop.

    tick is called at every token; what it raises ends the generation.
    """

    def __init__(self, seconds: float, tick: Callable[[], None]) -> None:
        self.end, self.tick, self.ran_out = time.monotonic() + seconds, tick, False

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Return for each of n rows whether it is to end, (n,)."""
        self.tick()
        self.ran_out = time.monotonic() >= self.end
        return input_ids.new_full((len(input_ids),), self.ran_out).bool()
