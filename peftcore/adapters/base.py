"""What a method is: trainable tensors and one function that puts them into a frozen model.

A method file never imports torch: initial values come from the `Draw` it is given, and what it
computes is tensor arithmetic.  So a page can list every method and its settings without waiting
for torch.  A method overrides exactly one of three seams: soft tokens before the input, a prefix
of keys and values in attention, or a patch on a leaf's output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from peftcore.errors import BadInput
from peftcore.registry import Registry
from peftcore.runs import spec
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.base_model import BaseModel

EVERY_KIND = frozenset({"encoder", "decoder", "encoder-decoder"})
Injection = Literal["prompt", "prefix", "output"]
SEAMS: dict[str, Injection] = {  # overridden function → what a method injects by it
    "soft_tokens": "prompt",
    "prefix": "prefix",
    "transform_output": "output",
}


class Adapter(ABC):
    """Trainable tensors of one method for one base, seed and vertex axes first (s, v, …)."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence for people
    source: ClassVar[str]
    Config: ClassVar[type[Settings]]
    learning_rate: ClassVar[float]  # measured on the embedded bases; see the README's table
    encoder_learning_rate: ClassVar[float | None] = (
        None  # the same for encoders, measured on minilm
    )
    kinds: ClassVar[frozenset[str]] = EVERY_KIND
    alternative_hint: ClassVar[str] = ""  # why other kinds are left out and what to take there
    injects: ClassVar[Injection | None] = None  # read off the overridden seam; None: only a head

    def __init_subclass__(cls, **options: Any) -> None:
        # Read off, not declared: so it cannot contradict what the method does.
        super().__init_subclass__(**options)
        overridden = (
            injection
            for seam, injection in SEAMS.items()
            if getattr(cls, seam) is not getattr(Adapter, seam)
        )
        cls.injects = next(overridden, None)

    def __init__(self, base: BaseModel, config: Any, initializer: SeededInitializer) -> None:
        self.base, self.config = base, config
        self.tensors: dict[str, Tensor] = self.create(initializer)

    @classmethod
    def default_learning_rate(cls, kind: str) -> float:
        """The learning rate that suits bases of a kind, unless a run sets its own."""
        return (
            cls.encoder_learning_rate
            if kind == "encoder" and cls.encoder_learning_rate
            else cls.learning_rate
        )

    @classmethod
    def check_base_kind(cls, base: str, kind: str) -> None:
        """BadInput if the method does not work on bases of this kind."""
        if kind not in cls.kinds:
            why = f" ({cls.alternative_hint})" if cls.alternative_hint else ""
            raise BadInput(
                f"{cls.title} needs a base of kind {' or '.join(sorted(cls.kinds))}; "
                f"{base} is of kind {kind}{why}"
            )

    @classmethod
    def virtual_tokens(cls, config: Settings) -> int:
        """Positions that these settings add, in the input or in attention; 0 for other methods."""
        return int(getattr(config, "length", 0)) if cls.injects in ("prompt", "prefix") else 0

    @classmethod
    def prompt_length(cls, config: Settings) -> int:
        """Positions of the base's window that soft tokens take; a prefix takes none."""
        return cls.virtual_tokens(config) if cls.injects == "prompt" else 0

    @abstractmethod
    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """The trainable tensors, each (s, v, …), at their initial values."""

    def learning_rate_factors(self) -> Mapping[str, float]:
        """Tensor name → factor on the learning rate, where it is not one."""
        return {}

    def untrained_names(self) -> frozenset[str]:
        """Names of the tensors that are kept and mixed, but not trained."""
        return frozenset()

    def penalty(self, tensors: Mapping[str, Tensor]) -> Tensor | None:
        """What each seed's training loss gets on top (s,), if anything."""
        return None

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What the seams read through `mix`, each (s, v, …); once per forward pass.

        A reparameterisation happens here, before members are mixed, so that the simplex is one of
        effective values and its centroid is again a plain adapter.
        """
        return tensors

    def soft_tokens(self, mix: MemberMixture, n: int) -> Tensor | None:
        """Embeddings (n, p, d) in front of the input, after the first token in encoders."""
        return None

    def prefix(self, block_path: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        """Keys and values (n, h, p, e) in front of the attention at this path."""
        return None

    def target_modules(self) -> list[str]:
        """Paths of the leaves this method patches."""
        return []

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """What the leaf at `path` returns for input x (n, t, i), given what it returned."""
        return out

    def edit_model(self, model: Any) -> None:  # noqa: B027 (most methods have nothing to add)
        """Change the shell of the base where a patch on a leaf cannot reach; never the base."""


METHODS: Registry[type[Adapter]] = spec.METHODS
register = METHODS.add
