"""Training chosen weights of the base: what SparseFit, BitFit and full fine-tuning have in common.

What is trained are differences from the base's own weights, zero at the start.  AdamW does not see
where zero is, so this is training the weights themselves, except that weight decay pulls towards
the base.  A leaf is affine in its weights, so what a difference does is added to what the leaf
returned: several seeds share one pass through the base, and the base is never written to.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import defaultdict
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from peftcore.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import Draw
    from peftcore.adapters.mixing import Mix
    from peftcore.models.structure import Weight

RELATIVE = ".relative_attention_bias"
ROWS: ContextVar[int] = ContextVar("peftcore_rows")  # of the attention call that is under way


class ChosenWeights(Adapter):
    """Differences (s, v, …) in the shape of each chosen weight, or of its share of a parameter."""

    @abstractmethod
    def choose(self) -> tuple[Weight, ...]:
        """The weights to train, at least one; BadInput if the base has none of what is asked."""

    @cached_property
    def chosen(self) -> tuple[Weight, ...]:
        """The weights that are trained."""
        return self.choose()

    def create(self, draw: Draw) -> dict[str, Tensor]:
        """Differences of zero: training starts at the base."""
        return {f"delta:{w.key}": draw.constant(*w.shape, value=0.0) for w in self.chosen}

    def leaves(self) -> list[str]:
        """Every module that computes with a chosen weight."""
        return [path for path in self._uses if not path.endswith(RELATIVE)]

    def effective(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The differences, and those that multiply an input also as (s, v, inputs, outputs)."""
        made = {f"delta:{w.key}": tensors[f"delta:{w.key}"] for w in self.chosen}
        for path, weights in self._uses.items():
            leaf = self._leaf(path)
            for weight in weights:
                if len(weight.shape) == 2 and not _is_table(leaf):
                    matrix = made[f"delta:{weight.key}"]
                    upright = type(leaf).__name__ == "Conv1D"  # GPT-2 stores (inputs, outputs)
                    made[f"matrix:{weight.key}"] = matrix if upright else matrix.mT
        return made

    def patch(self, path: str, x: Tensor, out: Tensor, mix: Mix) -> Tensor:
        """The leaf's output with what each row's own differences add."""
        for weight in self._uses[path]:
            change = self._change(path, weight, x, mix)
            if weight.columns:
                change = mix.placed(change, weight.columns[0], out.shape[-1])
            out = out + change.to(out.dtype)
        return out

    def splice(self, shell: Any) -> None:
        """A relative position bias has no rows that a patch could tell members by."""
        for path, weights in self._uses.items():
            if path.endswith(RELATIVE):
                block = path.removesuffix(RELATIVE)
                give_rows(shell.get_submodule(block), self._leaf(block), f"delta:{weights[0].key}")

    def _change(self, path: str, weight: Weight, x: Tensor, mix: Mix) -> Tensor:
        """What the difference of a weight adds to its leaf's output for input x."""
        leaf, name = self._leaf(path), f"delta:{weight.key}"
        if _is_table(leaf):
            return looked_up(mix, name, x)
        if len(weight.shape) == 2:
            return mix.linear(x, f"matrix:{weight.key}")
        row = mix(name, len(x)).view(len(x), *[1] * (x.dim() - 2), -1)
        return row if weight.bias else self._normalised(path, x) * row

    def _leaf(self, path: str) -> Any:
        return self.base.model.get_submodule(path)

    @cached_property
    def _uses(self) -> dict[str, list[Weight]]:
        """Path of a module → the chosen weights that it computes with."""
        found: dict[str, list[Weight]] = defaultdict(list)
        for weight in self.chosen:
            for path in weight.users:
                found[path].append(weight)
        return dict(found)

    @cached_property
    def _plain(self) -> dict[Any, Any]:
        """Norms without weights of their own, made when they are first needed."""
        return {}

    def _normalised(self, path: str, x: Tensor) -> Tensor:
        """What a norm returns before its own weights are put to it."""
        key = path, x.device
        if key not in self._plain:
            norm = copy.deepcopy(self._leaf(path))  # the base's own is shared by threads
            norm.weight.data.fill_(1.0)
            if getattr(norm, "bias", None) is not None:
                norm.bias.data.zero_()
            self._plain[key] = norm
        normalised: Tensor = self._plain[key](x)
        return normalised


def _is_table(leaf: Any) -> bool:
    return hasattr(leaf, "num_embeddings")


def looked_up(mix: Mix, name: str, ids: Tensor) -> Tensor:
    """Rows (n, t, d) of each row's own table; ids (n, t), or (1, t) where all rows have the same.

    Only the rows that are asked for are mixed: a table per row would be as large as the model.
    """
    import torch
    from torch.nn.functional import embedding

    stacked, coords = mix.tensors[name], mix.of(name)
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


def give_rows(worn: Any, plain: Any, name: str) -> None:
    """Let a T5 attention of the shell add each row's own difference to its position bias.

    worn: the shell's module.  plain: the base's, of which a copy tells which bucket a pair of
    positions falls in: its table holds the buckets' numbers.
    """
    import torch
    from torch import nn

    from peftcore.adapters.adapted_model import shell
    from peftcore.adapters.mixing import MIX

    usual = worn.compute_bias
    ruler: Any = shell(plain)
    numbers = torch.arange(
        plain.relative_attention_num_buckets, device=plain.relative_attention_bias.weight.device
    )
    ruler.relative_attention_bias = nn.Embedding.from_pretrained(numbers[:, None].float())

    def compute_bias(*args: Any, **kwargs: Any) -> Tensor:
        bias: Tensor = usual(*args, **kwargs)  # (1, h, q, k)
        mix = MIX.get()
        if mix is None:
            return bias
        buckets = ruler.compute_bias(*args, **kwargs)[0, 0].long()
        change = mix(name, ROWS.get())[:, buckets]  # (n, q, k, h)
        return bias + change.permute(0, 3, 1, 2).to(bias.dtype)

    def note(_: Any, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        ROWS.set(len(args[0] if args else kwargs["hidden_states"]))

    worn.compute_bias = compute_bias
    worn.register_forward_pre_hook(note, with_kwargs=True)


def folded(adapter: ChosenWeights, member: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameter name → the base's values plus the differences of one member (no s, v axes)."""
    import torch

    with torch.no_grad():
        own = dict(adapter.base.model.named_parameters())
        found: dict[str, Tensor] = {}
        for weight in adapter.chosen:
            values = found.setdefault(weight.name, own[weight.name].detach().clone())
            start, stop = weight.columns or (0, values.shape[-1])
            values[..., start:stop] += member[f"delta:{weight.key}"].to(values)
    return found
