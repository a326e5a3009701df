"""Output gains: every output of a chosen part is multiplied by one plus a learned number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.models import target_modules
from peftcore.models.target_modules import LinearComponent
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import TargetSlice


@register
class Gain(Adapter):
    """A row of gains (s, v, 1, o) per part; all start at zero, so training starts at the base."""

    name, title = "gain", "Output gains"
    summary = "Every output of chosen matrices is multiplied by a learned number."
    source = "an example of how a method is added"
    learning_rate = 0.01

    class Config(Settings):
        """Settings of output gains."""

        strength: float = Field(1.0, gt=0, le=100, description="Factor on every gain")
        components: tuple[LinearComponent, ...] = Field(
            ("attention.query", "attention.value"),
            min_length=1,
            description="Parts whose outputs are multiplied",
        )

    def targets(self) -> list[TargetSlice]:
        """The parts whose outputs are multiplied."""
        return target_modules.select_target_slices(
            self.base, self.config.components, ("encoder", "decoder")
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        return {
            f"gain:{target_modules.layer_key(part)}": initializer.constant(
                1, part.outputs, value=0.0
            )
            for part in self.targets()
        }

    def target_modules(self) -> list[str]:
        return sorted({part.path for part in self.targets()})

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        for part in (p for p in self.targets() if p.path == path):
            gain = self.config.strength * mix(f"gain:{target_modules.layer_key(part)}", len(x))
            change = part.columns.take(out) * gain.to(out.dtype)
            out = out + mix.pad_columns(change, part.columns, out.shape[-1])
        return out
