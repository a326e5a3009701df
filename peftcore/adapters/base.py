"""The contract of a method: trainable tensors, and one function that injects them into the base.

A method's file never imports torch: initial values come from the `SeededInitializer` it is given,
and what it computes is tensor arithmetic. So a page can list every method and its settings without
waiting for torch. A method overrides one of four functions: `soft_tokens` (embeddings before the
input), `prefix` (keys and values in attention), `transform_output` (the output of a target module)
or `read` (the text before the input: then nothing is trained). One that joins methods may override
the first three at once: it injects "several".

Axes: s seeds, v vertices, n rows, t tokens, d model width, h heads, p prompt or prefix positions, e
head width, i inputs, o outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from peftcore.adapters import measured_rates
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.registry import Registry
from peftcore.runs import spec
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.base_model import BaseModel

HEAD_STATS = ("head_mean", "head_scale")  # tensors that standardise what a head reads, untrained
EVERY_KIND = frozenset({"encoder", "decoder", "encoder-decoder"})
Injection = Literal["prompt", "prefix", "output", "text", "several"]
INJECTIONS: dict[str, Injection] = {  # overridden function → what a method injects by it
    "soft_tokens": "prompt",
    "prefix": "prefix",
    "transform_output": "output",
    "read": "text",
}


class Adapter(ABC):
    """Trainable tensors (s, v, …) of one method for one base, seed and vertex axes first."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence for people
    source: ClassVar[str]
    Config: ClassVar[type[Settings]]
    # Measured on the embedded bases; see the README's table. 0 where nothing is trained.
    learning_rate: ClassVar[float] = 0.0
    # The same for encoders, measured on minilm.
    encoder_learning_rate: ClassVar[float | None] = None
    kinds: ClassVar[frozenset[str]] = EVERY_KIND
    alternative_hint: ClassVar[str] = ""  # why other kinds are left out and what to take there
    injects: ClassVar[Injection | None] = None  # derived, see below; None: only a head

    def __init_subclass__(cls, **options: Any) -> None:
        """Set `injects` from what the method overrides."""
        # Derived and not declared, so that it cannot contradict what the method does.
        super().__init_subclass__(**options)
        overridden = [
            injection
            for function, injection in INJECTIONS.items()
            if getattr(cls, function) is not getattr(Adapter, function)
        ]
        cls.injects = "several" if len(overridden) > 1 else next(iter(overridden), None)

    def __init__(self, base: BaseModel, config: Any, initializer: SeededInitializer) -> None:
        """Create the tensors (s, v, …) for this base with these settings."""
        self.base, self.config = base, config
        self.tensors: dict[str, Tensor] = self.create(initializer)

    @classmethod
    def default_learning_rate(cls, kind: str, parameters: int = 0) -> float:
        """Return the learning rate for bases of this kind and size, unless a run sets its own.

        parameters: the numbers in the base; 0 where they are not known.
        """
        if measured := measured_rates.find_rate(cls.name, kind, parameters):
            return measured
        return (
            cls.encoder_learning_rate
            if kind == "encoder" and cls.encoder_learning_rate
            else cls.learning_rate
        )

    @classmethod
    def check_base_kind(cls, base: str, kind: str) -> None:
        """Raise BadInput if the method does not work on bases of this kind."""
        if kind not in cls.kinds:
            why = f" ({cls.alternative_hint})" if cls.alternative_hint else ""
            raise BadInput(
                f"{cls.title} needs a base of kind {' or '.join(sorted(cls.kinds))}; "
                f"{base} is of kind {kind}{why}"
            )

    @classmethod
    def virtual_tokens(cls, config: Settings) -> int:
        """Return how many positions these settings add, in the input or in attention; else 0."""
        adds = cls.injects in ("prompt", "prefix", "several")
        return int(getattr(config, "length", 0)) if adds else 0

    @classmethod
    def prompt_length(cls, config: Settings) -> int:
        """Return how many positions of the base's window soft tokens take; a prefix takes none."""
        return cls.virtual_tokens(config) if cls.injects == "prompt" else 0

    @classmethod
    def trains(cls) -> bool:
        """Return whether there is anything to train; not where only the text read changes."""
        return cls.injects != "text"

    @classmethod
    def examples_shown(cls, config: Settings) -> int:
        """Return how many of a seed's training examples stand before each text it reads."""
        return 0

    def read(self, example: Example, shown: Sequence[Example]) -> Example:
        """Return the example as the base reads it; `shown` are training examples of its seed."""
        return example

    @abstractmethod
    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create the adapter's tensors, each (s, v, …), at their initial values."""

    def learning_rate_factors(self) -> Mapping[str, float]:
        """Return tensor name → factor on the learning rate, where it is not one."""
        return {}

    def untrained_names(self) -> frozenset[str]:
        """Return the names of tensors that are mixed and saved but not trained."""
        return frozenset()

    def penalty(self, tensors: Mapping[str, Tensor]) -> Tensor | None:
        """Return what each seed's training loss gets on top (s,), or None; tensors (s, v, …)."""
        return None

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the tensors that forward passes read through `mix`, each (s, v, …).

        Called once per forward pass. A reparameterisation happens here, before members are mixed,
        so that the simplex is one of effective values and its centroid is again a plain adapter.
        """
        return tensors

    def soft_tokens(self, mix: MemberMixture, n: int) -> Tensor | None:
        """Return embeddings (n, p, d) to put before the input, or None.

        In an encoder they follow the first token.
        """
        return None

    def prefix(self, block_path: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        """Return keys and values (n, h, p, e) to put before those of this attention block."""
        return None

    def target_modules(self) -> list[str]:
        """List the paths of the modules whose output this method changes."""
        return []

    def injection_paths(self) -> Sequence[str] | None:
        """List the paths of the modules whose work this method changes; None: already the input.

        The layers below the first of them are computed once for each example.
        """
        if self.injects in ("prompt", "prefix", "text"):
            return None
        edited = type(self).edit_model is not Adapter.edit_model
        return None if edited else self.target_modules()

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Return the changed output (n, t, o) of the module at `path` for input x (n, t, i)."""
        return out

    def works_by_position(self) -> bool:
        """Return whether `transform_output` treats every position by itself and counts nothing.

        Then positions that nobody reads may be left out.
        """
        return False

    def edit_model(self, model: Any) -> None:  # noqa: B027 (most methods have nothing to add)
        """Edit the copied model where `transform_output` is not enough; never the base."""


METHODS: Registry[type[Adapter]] = spec.METHODS
register = METHODS.add
