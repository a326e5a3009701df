"""Attention that some families compute inside their modules, led to the one function all run.

These classes of the library name no attention implementation. Each gets a subclass that differs in
one method only; a module is given the subclass when its base is frozen, and its own class back when
the library's modules are restored. Weights, names and everything else stay.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.models.gpt_neo.modeling_gpt_neo import GPTNeoSelfAttention
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder, MPNetSelfAttention

from peftcore.models.attention import IMPLEMENTATION_NAME, attend


class ReachedGPTNeoAttention(GPTNeoSelfAttention):
    """GPT-Neo's attention; scores are not scaled, and some layers see a window only."""

    def _attn(
        self, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Attend for queries (b, h, q, e): outputs (b, h, q, e) and the weights if recorded."""
        queries, keys = query.shape[2], key.shape[2]
        seen = self.bias[:, :, keys - queries : keys, :keys]  # (1, 1, q, k), causal or a window
        mask = seen if attention_mask is None else seen & attention_mask
        out, weights = attend(self, query, key, value, mask, scaling=1.0)
        return out.transpose(1, 2), weights


class ReachedMPNetAttention(MPNetSelfAttention):
    """MPNet's attention, with its bias by distance."""

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        output_attentions: bool = False,
        **_: Any,
    ) -> tuple[Any, ...]:
        """Return the output (b, t, d), and the weights if they were asked for."""
        shape = (*hidden_states.shape[:-1], -1, self.attention_head_size)
        query, key, value = (
            matrix(hidden_states).view(shape).transpose(1, 2) for matrix in (self.q, self.k, self.v)
        )
        out, weights = attend(self, query, key, value, attention_mask, position_bias=position_bias)
        done = self.o(out.flatten(2))
        return (done, weights) if output_attentions else (done,)


class ReachedMPNetEncoder(MPNetEncoder):
    """MPNet's encoder, whose bias by distance is computed by a method that T5 has as well."""

    def compute_bias(self, query_length: int, key_length: int) -> Tensor:
        """Return the bias (1, h, q, k) of the scores by the distance of query and key."""
        like = self.relative_attention_bias.weight.new_empty(1, query_length, 1)
        assert query_length == key_length, "an encoder looks at itself"
        bias: Tensor = super().compute_position_bias(like)
        return bias

    def compute_position_bias(
        self, x: Tensor, position_ids: Tensor | None = None, num_buckets: int = 32
    ) -> Tensor:
        """Return the bias for hidden states x (n, t, d): (1 or n, h, t, t)."""
        return self.compute_bias(x.shape[1], x.shape[1])


REACHED: dict[type[nn.Module], type[nn.Module]] = {
    GPTNeoSelfAttention: ReachedGPTNeoAttention,
    MPNetSelfAttention: ReachedMPNetAttention,
    MPNetEncoder: ReachedMPNetEncoder,
}


def reach(model: Any) -> None:
    """Lead the attention of these families' modules to our function, in place."""
    _change_classes(model, REACHED)
    # Only read where masks are made; the library refuses the name for these families.
    model.config._attn_implementation = IMPLEMENTATION_NAME


def restore(model: Any) -> None:
    """Give the modules their own classes back, in place."""
    _change_classes(model, {reached: own for own, reached in REACHED.items()})
    model.config._attn_implementation = "eager"


def _change_classes(model: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]) -> None:
    """Give every module of one of these classes the class it is to have."""
    for module in model.modules():
        if type(module) in classes:
            module.__class__ = classes[type(module)]
