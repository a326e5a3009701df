"""Sparse atoms: outputs of chosen matrices get a sparse combination of learned atoms added.

Source: arXiv:2507.10855 says that the change of features is a sparse combination of dictionary
atoms and that the atoms are tuned; how coefficients are computed is not public, so what follows is
a reconstruction.  For a frozen matrix, y' = W x + b + D a with a = S(E x): E encodes, D holds the
atoms, and S moves every coefficient towards zero by a threshold and cuts it off there, one step of
iterative shrinkage.  D starts at zero, so training starts at the base model.  At threshold zero
this is LoRA of that rank.

With a fixed dictionary E and D are drawn once for all matrices of one shape and stay as they are,
nearer to the paper's picture of a fixed set of atoms of which few are tuned: what is trained is how
much of each atom a matrix gets, one number an atom, from zero on.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.models import target_modules
from peftcore.models.structure import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import TargetSlice


@register
class SparseAtoms(Adapter):
    """Encoder (s, v, i, m), atoms (s, v, m, o) and threshold (s, v, 1, 1) for each target slice.

    A forward pass notes the coefficients (n, t, m) of every slice as "component:path".
    """

    name, title = "atoms", "Sparse atoms"
    summary = (
        "Outputs of chosen matrices get a sparse mixture of learned atoms added "
        "(reconstructed from the paper's abstract)."
    )
    source = "arXiv:2507.10855"
    # tiny-t5, entailment with 48 examples, one seed, 80 steps: dev loss .32, .15 and .15 at 0.002,
    # 0.005 and 0.02; the largest gets there first and rises again, so the middle of the last two.
    learning_rate = 0.01
    # minilm, QNLI with 100 examples, one seed, 30 steps: dev loss .62, .62 and .68 at these rates.
    encoder_learning_rate = 0.005

    class Config(target_modules.LayerRange):
        """Settings of sparse atoms."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
            {
                "atoms",
                "components",
                "stacks",
                "threshold",
                "relative",
                "learned_threshold",
                "l1",
                "top_k",
                "rounds",
            }
        )

        atoms: int = Field(16, ge=1, le=1024, description="Atoms of each matrix")
        components: tuple[target_modules.LinearComponent, ...] = Field(
            ("attention.output", "ffn.output"),
            min_length=1,
            title="Modules with atoms",
            description="Parts of the model that get atoms; those the base does not have are "
            "passed over",
        )
        stacks: tuple[Stack, ...] = Field(
            ("encoder", "decoder"),
            min_length=1,
            description="Stacks that get atoms, in a base that has both",
        )
        threshold: float = Field(
            1.0, ge=0, le=10, description="Coefficients up to this size are zero; 0 makes it LoRA"
        )
        relative: bool = Field(
            True,
            title="Threshold in units of the input",
            description="Count the threshold in root mean squares of what a matrix reads, which is "
            "the spread of coefficients at the start",
            json_schema_extra={"advanced": True},
        )
        learned_threshold: bool = Field(
            True,
            title="Learn the threshold",
            description="Train a threshold of its own for each matrix",
            json_schema_extra={"advanced": True},
        )
        l1: float = Field(
            0.0,
            ge=0,
            le=100,
            title="L1 penalty",
            description="Weight of the mean size of coefficients in the training loss",
            json_schema_extra={"advanced": True},
        )
        overlap: float = Field(
            0.0,
            ge=0,
            le=100,
            title="Overlap penalty",
            description="Weight of the mean squared cosine between two atoms of a matrix in the "
            "training loss: atoms are to write in directions of their own",
            json_schema_extra={"advanced": True},
        )
        top_k: int = Field(
            0,
            ge=0,
            le=1024,
            title="Most atoms at a position (top k)",
            description="Largest coefficients kept at each position; 0 keeps all",
            json_schema_extra={"advanced": True},
        )
        dictionary: Literal["trained", "fixed"] = Field(
            "trained",
            title="Dictionary",
            description="Train encoders and atoms of each matrix, or draw them once for all "
            "matrices of one shape and train only how much of each atom a matrix gets",
            json_schema_extra={"advanced": True},
        )
        rounds: int = Field(
            1,
            ge=1,
            le=20,
            description="Rounds of shrinkage; after the first, atoms that write alike compete",
            json_schema_extra={"advanced": True},
        )

    @cached_property
    def matrices(self) -> list[TargetSlice]:
        """Target slices that get atoms."""
        return target_modules.select_target_slices(
            self.base, self.config.components, self.config.stacks, self.config
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create encoders (s, v, i, m), atoms (s, v, m, o) and thresholds (s, v, 1, 1).

        A fixed dictionary is (s, 1, …) for each shape, with amounts (s, v, m, 1) for each matrix.
        """
        count = self.config.atoms
        tensors: dict[str, Tensor] = {}
        for part in self.matrices:
            key = target_modules.layer_key(part)
            if self.config.dictionary == "fixed":
                tensors |= self._fixed_dictionary(initializer, part, tensors)
                tensors[f"amount:{key}"] = initializer.constant(count, 1, value=0.0)
            else:
                tensors[f"encode:{key}"] = initializer.normal(
                    part.inputs, count, std=part.inputs**-0.5
                )
                tensors[f"atoms:{key}"] = initializer.constant(count, part.outputs, value=0.0)
            if self.config.learned_threshold:
                tensors[f"threshold:{key}"] = initializer.constant(
                    1, 1, value=self.config.threshold
                )
        return tensors

    def _fixed_dictionary(
        self, initializer: SeededInitializer, part: TargetSlice, known: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Draw encoders and atoms of about unit length for this shape, unless they are known."""
        shape, count = _shape(part), self.config.atoms
        if f"fixed_atoms:{shape}" in known:
            return {}
        draw = initializer.shared
        return {
            f"fixed_encode:{shape}": draw.normal(part.inputs, count, std=part.inputs**-0.5),
            f"fixed_atoms:{shape}": draw.normal(count, part.outputs, std=part.outputs**-0.5),
        }

    def untrained_names(self) -> frozenset[str]:
        """Return the names of a fixed dictionary's encoders and atoms."""
        return frozenset(name for name in self.tensors if name.startswith("fixed_"))

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the tensors (s, v, …) with thresholds made positive, and amounts in the atoms."""
        # The size counts: one that has crossed zero in training is a threshold all the same.
        found = {
            n: t.abs() if n.startswith("threshold:") else t
            for n, t in tensors.items()
            if not n.startswith(("fixed_", "amount:"))
        }
        if self.config.dictionary == "fixed":
            for part in self.matrices:
                key, shape = target_modules.layer_key(part), _shape(part)
                amount = tensors[f"amount:{key}"]  # (s, v, m, 1)
                found[f"atoms:{key}"] = tensors[f"fixed_atoms:{shape}"] * amount
                encode = tensors[f"fixed_encode:{shape}"]  # (s, 1, i, m)
                found[f"encode:{key}"] = encode.expand(-1, amount.shape[1], -1, -1)
        return found

    def target_modules(self) -> list[str]:
        """List the modules with a target slice."""
        return sorted({part.path for part in self.matrices})

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Add D S(E x) to the output (n, t, o) for input x (n, t, i), and note S(E x)."""
        for part in (p for p in self.matrices if p.path == path):
            key = target_modules.layer_key(part)
            if self._is_plain and part.outputs == out.shape[-1]:
                out, code = self._add_in_one(x, out, key, mix)
            else:
                code = self._coefficients(x, key, mix)
                out = mix.add_linear_output(out, code, f"atoms:{key}", part.columns)
            mix.note(key, code)
            self._add_l1_cost(code, part, mix)
            if self.config.overlap:
                cost = mean_overlap(mix(f"atoms:{key}", len(x)))
                mix.add_cost(cost * (self.config.overlap / len(self.matrices)))
        return out

    def works_by_position(self) -> bool:
        """Return whether no cost is counted over all positions."""
        return not self.config.l1

    @property
    def _is_plain(self) -> bool:
        """True if one round of shrinkage, relative to the input, is all there is."""
        return self.config.relative and self.config.rounds == 1 and not self.config.top_k

    def _add_in_one(
        self, x: Tensor, out: Tensor, key: str, mix: MemberMixture
    ) -> tuple[Tensor, Tensor]:
        """Return the output (n, t, o) with D S(E x) added, and S(E x) (n, t, m), in one step."""
        from peftcore.methods.common.soft_threshold import add_sparse_combination

        x = mix.narrow(x)
        learned = self.config.learned_threshold
        limit = mix(f"threshold:{key}", len(x)) if learned else x.new_tensor(self.config.threshold)
        encode, atoms = (mix.weight_matrices(f"{k}:{key}", x) for k in ("encode", "atoms"))
        return add_sparse_combination(out, x, encode, atoms, limit.to(x.dtype))

    def _coefficients(self, x: Tensor, key: str, mix: MemberMixture) -> Tensor:
        """Return the sparse coefficients (n, t, m) for inputs x (n, t, i)."""
        from peftcore.methods.common.soft_threshold import shrink

        read = mix.linear_output(x, f"encode:{key}")
        limit = self._threshold(x, key, mix)
        code = shrink(read, limit)
        if self.config.rounds > 1:
            code = self._compete(code, read, limit, mix(f"atoms:{key}", len(x)))
        if 0 < self.config.top_k < code.shape[-1]:
            kept = code.abs().topk(self.config.top_k, -1).indices
            code = code * code.new_zeros(code.shape).scatter(-1, kept, 1.0)
        return code

    def _threshold(self, x: Tensor, key: str, mix: MemberMixture) -> Tensor:
        """Return the threshold at every position, (n, t, 1)."""
        from peftcore.methods.common.soft_threshold import root_mean_square

        unit = root_mean_square(x) if self.config.relative else x.new_ones(*x.shape[:-1], 1)
        if self.config.learned_threshold:
            return unit * mix(f"threshold:{key}", len(x)).to(x.dtype)
        return unit * self.config.threshold

    def _compete(self, code: Tensor, read: Tensor, limit: Tensor, atoms: Tensor) -> Tensor:
        """Minimise ½‖a‖² + ½‖D a‖² − a·(E x) + threshold ‖a‖₁ by further shrinkage rounds.

        Done by iterative shrinkage on code a (n, t, m); read is E x (n, t, m), limit the threshold
        (n, t, 1), atoms D (n, m, o). While D is zero the first round is already the answer.
        """
        from peftcore.methods.common.soft_threshold import shrink

        overlap = atoms @ atoms.mT
        overlap.diagonal(dim1=-2, dim2=-1).add_(1.0)
        bound = overlap.abs().sum(-1).amax(-1)[:, None, None]  # no eigenvalue is larger
        for _ in range(self.config.rounds - 1):
            code = shrink(code - (code @ overlap - read) / bound, limit / bound)
        return code

    def _add_l1_cost(self, code: Tensor, part: TargetSlice, mix: MemberMixture) -> None:
        """Add the mean size of coefficients at positions without padding to the training loss."""
        if not self.config.l1 or part.stack not in mix.token_masks:
            return
        reads_encoder = part.component in ("cross.key", "cross.value")
        real = mix.token_masks["encoder" if reads_encoder else part.stack].to(code.dtype)
        size = (code.abs().mean(-1) * real).sum(1) / real.sum(1)
        mix.add_cost(size * (self.config.l1 / len(self.matrices)))


def mean_overlap(atoms: Tensor) -> Tensor:
    """Return the mean squared cosine (n,) between two different atoms of (n, m, o); 0 for one."""
    from torch.nn.functional import normalize

    count = atoms.shape[1]
    if count == 1:
        return atoms.new_zeros(len(atoms))
    unit = normalize(atoms, dim=-1)  # atoms that are still zero stay zero, and cost nothing
    cosines = unit @ unit.mT
    own = cosines.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return (cosines.square().sum((-2, -1)) - own) / (count * (count - 1))


def _shape(part: TargetSlice) -> str:
    """Return "inputs x outputs" of a slice, by which slices share a fixed dictionary."""
    return f"{part.inputs}x{part.outputs}"
