"""Training chosen weights of the base: shared by SparseFit, BitFit and full fine-tuning.

What is trained are differences from the base's own weights, zero at the start. AdamW does not
depend on where zero is, so this is training the weights themselves, except that weight decay pulls
towards the base. A module's output is affine in its weights, so the effect of a difference is added
to the output: several seeds share one pass through the base, and the base is never written to.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import defaultdict
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from peftcore.adapters.base import Adapter
from peftcore.models.structure import OutputColumns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import Weight

RELATIVE_BIAS = ".relative_attention_bias"
CALL_ROWS: ContextVar[int] = ContextVar("peftcore_rows")  # of the attention call that is under way


class ChosenWeights(Adapter):
    """Differences (s, v, …) in the shape of each chosen weight or slice of a parameter."""

    @abstractmethod
    def choose_weights(self) -> tuple[Weight, ...]:
        """Return the weights to train, at least one; BadInput if the base has none of them."""

    @cached_property
    def chosen_weights(self) -> tuple[Weight, ...]:
        """Weights that are trained."""
        return self.choose_weights()

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create differences (s, v, …) of zero, so that training starts at the base."""
        return {
            f"delta:{w.key}": initializer.constant(*w.shape, value=0.0) for w in self.chosen_weights
        }

    def target_modules(self) -> list[str]:
        """List every module that computes with a chosen weight."""
        return [path for path in self._weights_by_module if not path.endswith(RELATIVE_BIAS)]

    def injection_paths(self) -> list[str]:
        """List every module that computes with a chosen weight, T5's position bias among them."""
        return list(self._weights_by_module)

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the differences, and those of matrices also as (s, v, i, o)."""
        result = {f"delta:{w.key}": tensors[f"delta:{w.key}"] for w in self.chosen_weights}
        for path, weights in self._weights_by_module.items():
            module = self._module(path)
            for weight in weights:
                if len(weight.shape) == 2 and not _is_embedding(module):
                    matrix = result[f"delta:{weight.key}"]
                    # GPT-2 stores matrices (i, o), all others (o, i).
                    inputs_first = type(module).__name__ == "Conv1D"
                    result[f"matrix:{weight.key}"] = matrix if inputs_first else matrix.mT
        return result

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Add the effect of each row's own differences to the output (n, t, o)."""
        for weight in self._weights_by_module[path]:
            change = self._change(path, weight, x, mix)
            if weight.columns:
                own = OutputColumns(*weight.columns, weight.groups)
                change = mix.pad_columns(change, own, out.shape[-1])
            out = out + change.to(out.dtype)
        return out

    def edit_model(self, model: Any) -> None:
        """Replace the computation of T5's relative position bias by one per row.

        Its module has no row axis by which `transform_output` could tell members apart.
        """
        for path, weights in self._weights_by_module.items():
            if path.endswith(RELATIVE_BIAS):
                block = path.removesuffix(RELATIVE_BIAS)
                add_position_bias_per_row(
                    model.get_submodule(block), self._module(block), f"delta:{weights[0].key}"
                )

    def _change(self, path: str, weight: Weight, x: Tensor, mix: MemberMixture) -> Tensor:
        """Return what a weight's difference adds to its module's output for input x."""
        module, name = self._module(path), f"delta:{weight.key}"
        if _is_embedding(module):
            # Gemma and some BARTs scale words as they enter.
            return lookup_rows(mix, name, x) * getattr(module, "embed_scale", 1)
        if len(weight.shape) == 2:
            return mix.linear_output(x, f"matrix:{weight.key}")
        row = mix(name, len(x)).view(len(x), *[1] * (x.dim() - 2), -1)
        return row if weight.is_bias else self._normalised(path, x) * row

    def _module(self, path: str) -> Any:
        """Return the base's own module at this path."""
        return self.base.model.get_submodule(path)

    @cached_property
    def _weights_by_module(self) -> dict[str, list[Weight]]:
        """Module path → the chosen weights it computes with."""
        result: dict[str, list[Weight]] = defaultdict(list)
        for weight in self.chosen_weights:
            for path in weight.module_paths:
                result[path].append(weight)
        return dict(result)

    @cached_property
    def _weightless_norms(self) -> dict[Any, Any]:
        """Norms without scale and bias of their own, built at first use."""
        return {}

    def _normalised(self, path: str, x: Tensor) -> Tensor:
        """Return what a norm computes for x before its own scale and bias are applied."""
        key = path, x.device
        if key not in self._weightless_norms:
            norm = copy.deepcopy(self._module(path))  # the base's own is shared by threads
            norm.weight.data.zero_()
            if getattr(norm, "bias", None) is not None:
                norm.bias.data.zero_()
            # Gemma's norms scale by one plus their weight, so zero leaves them as they should be.
            if not norm(x.detach()).any():
                norm.weight.data.fill_(1.0)
            self._weightless_norms[key] = norm
        normalised: Tensor = self._weightless_norms[key](x)
        return normalised


def _is_embedding(module: Any) -> bool:
    """Return whether a module looks rows up in a table."""
    return hasattr(module, "num_embeddings")


def lookup_rows(mix: MemberMixture, name: str, ids: Tensor) -> Tensor:
    """Look up rows (n, t, d) in each row's own mixed table.

    ids are (n, t), or (1, t) where all rows have the same. Only the rows that are looked up are
    mixed: a table per row would be as large as the model.
    """
    import torch
    from torch.nn.functional import embedding

    stacked, coords = mix.tensors[name], mix.coords_for(name)
    s, v, words, d = stacked.shape
    n = len(ids) if len(ids) > 1 else coords.shape[0] * coords.shape[1]
    member = torch.arange(n, device=ids.device)[:, None] // (n // s) * v
    member = member + torch.arange(v, device=ids.device)  # (n, v)
    rows = embedding(member[..., None] * words + ids[:, None], stacked.reshape(-1, d))
    if v == 1:
        return rows[:, 0]
    points = coords.flatten(0, 1).to(rows.dtype)
    points = points.repeat_interleave(n // len(points), 0)
    return torch.einsum("nv,nvtd->ntd", points, rows)


def add_position_bias_per_row(module: Any, base_module: Any, name: str) -> None:
    """Let a copied T5 attention add each row's own difference to its position bias.

    module is the copy's attention; base_module the base's. A copy of the latter whose table holds
    the buckets' numbers tells which bucket a pair of positions falls into.
    """
    import torch
    from torch import nn

    from peftcore.adapters.adapted_model import shared_copy
    from peftcore.adapters.mixing import ACTIVE_MIXTURE

    original = module.compute_bias
    bucket_module: Any = shared_copy(base_module)
    bucket_numbers = torch.arange(
        base_module.relative_attention_bias.num_embeddings,
        device=base_module.relative_attention_bias.weight.device,
    )
    bucket_module.relative_attention_bias = nn.Embedding.from_pretrained(
        bucket_numbers[:, None].float()
    )

    def compute_bias(*args: Any, **kwargs: Any) -> Tensor:
        """Return the position bias (n, h, q, k) with each row's difference."""
        bias: Tensor = original(*args, **kwargs)  # (1, h, q, k)
        mix = ACTIVE_MIXTURE.get()
        if mix is None:
            return bias
        buckets = bucket_module.compute_bias(*args, **kwargs)[0, 0].long()
        change = mix(name, CALL_ROWS.get())[:, buckets]  # (n, q, k, h)
        return bias + change.permute(0, 3, 1, 2).to(bias.dtype)

    def note(_: Any, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        """Remember the rows n of hidden states (n, t, d) that the attention is called with."""
        CALL_ROWS.set(len(args[0] if args else kwargs["hidden_states"]))

    module.compute_bias = compute_bias
    module.register_forward_pre_hook(note, with_kwargs=True)


def merged_parameters(adapter: ChosenWeights, member: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return parameter name → base values plus one member's differences, e.g. (o, i).

    The tensors of `member` have no seed and vertex axes.
    """
    import torch

    with torch.no_grad():
        own = dict(adapter.base.model.named_parameters())
        merged: dict[str, Tensor] = {}
        for weight in adapter.chosen_weights:
            values = merged.setdefault(weight.name, own[weight.name].detach().clone())
            weight.add_to(values, member[f"delta:{weight.key}"].to(values))
    return merged
