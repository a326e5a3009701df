"""A base model as a map of cells, one component in one layer of one stack, with parameter counts.

Any set of cells can be trained (SparseFit's setting `cells`) and counted. The counts of published
and embedded bases ship in `assets/component_counts.json`, so that counting needs no model library;
`python -m peftcore components count --write` makes that file again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from peftcore import paths
from peftcore.adapters import parameter_counts
from peftcore.adapters.parameter_counts import SPARSEFIT_PRESETS
from peftcore.errors import BadInput, unknown_name
from peftcore.models.architectures import find_architecture
from peftcore.models.structure import UNSTACKED, ModelStructure, Stack, Weight

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

COUNTS_FILE = paths.ASSETS / "component_counts.json"
STACKS: tuple[Stack, ...] = ("encoder", "decoder")
# Of SparseFit's settings.
DEFAULT_SETTINGS = {"stacks": STACKS, "first_layer": 0, "last_layer": None}
COMPONENT_ORDER = (
    *("layernorm.block", "layernorm.final", "layernorm.embedding"),
    *("attention.query", "attention.key", "attention.value", "attention.output"),
    *("attention.relative", "cross.query", "cross.key", "cross.value", "cross.output"),
    *("ffn", "bias"),
)
CELL_NAME = re.compile(r"embeddings|head|(?:encoder|decoder)\.\d{1,4}\.[a-z]+(?:\.[a-z]+)?")


@dataclass(frozen=True)
class ComponentCell:
    """One component in one layer of one stack; embeddings and head have neither."""

    component: str
    stack: Stack | None = None
    layer: int | None = None

    @property
    def name(self) -> str:
        """Name of the cell in settings, such as encoder.0.attention.query."""
        where = (self.stack, str(self.layer)) if self.stack else ()
        return ".".join((*where, self.component))


def cells_of_weights(weights: Iterable[Weight]) -> dict[ComponentCell, tuple[Weight, ...]]:
    """Group weights by cell, in reading order.

    A bias belongs to its component's cell and to the cell `bias` of its layer; a matrix that words
    and head share belongs to both.
    """
    weights_by_cell: dict[ComponentCell, list[Weight]] = {}
    for weight in weights:
        for component in weight.components:
            stacked = component not in UNSTACKED
            where = (weight.stack, weight.layer) if stacked else (None, None)
            weights_by_cell.setdefault(ComponentCell(component, *where), []).append(weight)
        if weight.is_bias and weight.stack:
            weights_by_cell.setdefault(
                ComponentCell("bias", weight.stack, weight.layer), []
            ).append(weight)
    return {cell: tuple(weights_by_cell[cell]) for cell in sorted(weights_by_cell, key=_sort_key)}


def _sort_key(cell: ComponentCell) -> tuple[int, int, int]:
    """Return the sort key that puts cells in reading order: stack, layer, component."""
    if cell.stack is None:
        return (2, 0, cell.component == "head")
    assert cell.layer is not None
    return (STACKS.index(cell.stack), cell.layer, COMPONENT_ORDER.index(cell.component))


def weights_of_cells(
    weights: Iterable[Weight], names: Sequence[str], base: str
) -> tuple[Weight, ...]:
    """Return the weights of the cells with these names; BadInput if the base has no such cell."""
    weights = tuple(weights)
    cells = {cell.name: cell_weights for cell, cell_weights in cells_of_weights(weights).items()}
    for name in names:
        if name not in cells:
            raise BadInput(f"{base}: {unknown_name('cell', name, cells)}")
    chosen = {id(weight) for name in names for weight in cells[name]}
    return tuple(weight for weight in weights if id(weight) in chosen)


@dataclass(frozen=True)
class ComponentMap:
    """The weights of one base by what can be chosen together, with their counts."""

    base: str
    model_type: str
    layers: int
    total: int
    weights: tuple[Weight, ...]

    @cached_property
    def cells(self) -> Mapping[ComponentCell, tuple[Weight, ...]]:
        """Cell → its weights, in reading order."""
        return cells_of_weights(self.weights)

    @cached_property
    def names(self) -> Mapping[str, ComponentCell]:
        """Cell name → cell."""
        return {cell.name: cell for cell in self.cells}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Cell name → how many numbers it has."""
        return {
            cell.name: sum(w.size for w in cell_weights)
            for cell, cell_weights in self.cells.items()
        }

    def rows(self, stack: Stack) -> list[str]:
        """List the components of a stack, in reading order."""
        here = {cell.component for cell in self.cells if cell.stack == stack}
        return sorted(here, key=COMPONENT_ORDER.index)

    def depth(self, stack: Stack) -> int:
        """Return how many layers a stack has."""
        return 1 + max((c.layer for c in self.cells if c.stack == stack and c.layer), default=-1)

    def count(self, names: Iterable[str]) -> int:
        """Count the numbers in the union of these cells; what two cells share counts once."""
        return sum(weight.size for weight in weights_of_cells(self.weights, list(names), self.base))

    def percent(self, count: int) -> float:
        """Return a count as a share of the whole base, in percent."""
        return 100 * count / self.total

    def trained_cells(self, settings: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the cells that SparseFit trains completely with these settings."""
        if settings.get("cells"):
            weights = weights_of_cells(self.weights, settings["cells"], self.base)
        else:
            weights = self._structure.select_weights(**_choose_arguments(settings))
        chosen_ids = {id(weight) for weight in weights}
        return frozenset(
            cell.name
            for cell, cell_weights in self.cells.items()
            if all(id(w) in chosen_ids for w in cell_weights)
        )

    def settings_for(self, names: Collection[str]) -> dict[str, Any]:
        """Return SparseFit's settings that train just these cells, in as few words as possible.

        The paper's own words where it has them, else components, stacks and a range of layers where
        these suffice, otherwise cell by cell. BadInput if there is nothing to train.
        """
        if not names:
            raise BadInput("nothing is chosen; switch on one cell of the map or more")
        wanted = weights_of_cells(self.weights, sorted(names), self.base)
        for candidate in (
            *self.presets.values(),
            *self._component_settings([self.names[n] for n in names]),
        ):
            if self._structure.select_weights(**_choose_arguments(candidate)) == wanted:
                return {
                    name: value
                    for name, value in candidate.items()
                    if value != DEFAULT_SETTINGS.get(name)
                }
        return {"cells": [name for name in self.sizes if name in names]}

    def _component_settings(self, cells: Sequence[ComponentCell]) -> Iterable[dict[str, Any]]:
        """Yield settings by component that might describe these cells, the shortest first."""
        words = [name for name in sorted(UNSTACKED) if any(c.component == name for c in cells)]
        if len({frozenset(map(id, self.cells[ComponentCell(name)])) for name in words}) < len(
            words
        ):
            words = ["head"]  # tied to the words: the same numbers
        inside = [cell for cell in cells if cell.stack]
        rows = {cell.component for cell in inside}
        kinds = [name for name in COMPONENT_ORDER if name in rows]
        short = self._merge_groups(kinds)
        stacks = tuple(stack for stack in STACKS if any(c.stack == stack for c in inside))
        layers = [cell.layer or 0 for cell in inside]
        yield {"components": ("all",)}
        for stack in stacks:
            yield {"components": ("all",), "stacks": (stack,)}
        for names in dict.fromkeys((short, tuple(kinds))):
            components = (*names, *words)
            if not components:
                continue
            yield {"components": components}
            if inside:
                span = {"first_layer": min(layers), "last_layer": max(layers)}
                yield {"components": components, "stacks": stacks}
                yield {"components": components, **span}
                yield {"components": components, "stacks": stacks, **span}

    def _merge_groups(self, kinds: Sequence[str]) -> tuple[str, ...]:
        """Replace components that make up a whole group by the group's name."""
        here = {cell.component for cell in self.cells}
        groups = {"layernorm": here & set(self._structure.architecture.layernorm)}
        for word in ("attention", "cross"):
            groups[word] = {name for name in here if name.startswith(f"{word}.")}
        grouped_names: dict[str, None] = {}
        for kind in kinds:
            word = next((w for w, all_of in groups.items() if kind in all_of <= set(kinds)), kind)
            grouped_names.setdefault(word)
        return tuple(grouped_names)

    @cached_property
    def presets(self) -> dict[str, dict[str, Any]]:
        """Return the configurations of SparseFit's paper that train something in this base."""
        configurations = {name: dict(settings) for name, settings in SPARSEFIT_PRESETS.items()}
        if not all(self.depth(stack) for stack in STACKS):
            configurations = {
                name: settings
                for name, settings in configurations.items()
                if "stacks" not in settings
            }
        return {
            name: preset for name, preset in configurations.items() if self.trained_cells(preset)
        }

    def title(self, settings: Mapping[str, Any]) -> str:
        """Describe in few words what these settings train: a preset, part of one, or cells."""
        trained = self.trained_cells(settings)
        sets = {name: self.trained_cells(preset) for name, preset in self.presets.items()}
        for name, cells in sets.items():
            if cells == trained:
                return name
        for name, cells in sets.items():
            for word, rest in (("without", cells - trained), ("in", trained)):
                if trained < cells and (layer_title := self._layer_title(rest, cells)):
                    return f"{name} {word} {layer_title}"
        return f"{len(trained)} of {len(self.cells)} cells"

    def _layer_title(self, names: Collection[str], among: Collection[str]) -> str:
        """Name the one layer that holds just these cells of those given, or return ""."""
        layers = {(self.names[name].stack, self.names[name].layer) for name in names}
        if len(layers) != 1:
            return ""
        stack, layer = layers.pop()
        here = {n for n in among if (self.names[n].stack, self.names[n].layer) == (stack, layer)}
        return f"{stack} layer {layer + 1}" if layer is not None and here == set(names) else ""

    @cached_property
    def _structure(self) -> ModelStructure:
        """Model structure with no more than what choosing by component needs."""
        arch = find_architecture(self.model_type)
        return ModelStructure(arch, 0, 0, 0, 0, self.layers, None, (), {}, self.weights)


def _choose_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate SparseFit's settings into the arguments of `ModelStructure.select_weights`."""
    whole = DEFAULT_SETTINGS | dict(settings)
    return {
        "components": whole["components"],
        "stacks": whole["stacks"],
        "first": whole["first_layer"],
        "last": whole["last_layer"],
    }


def map_of_base(base: BaseModel) -> ComponentMap:
    """Build the map of a loaded base, or of one on the meta device."""
    merged: dict[tuple[Any, ...], int] = {}
    for weight in base.structure.weights:
        key = (tuple(sorted(weight.components)), weight.stack, weight.layer, weight.is_bias)
        merged[key] = merged.get(key, 0) + weight.size
    rows = [[*key, size] for key, size in merged.items()]
    kind = base.model.config.model_type
    return _parse_map(
        base.name,
        {
            "model_type": kind,
            "layers": base.structure.layers,
            "total": base.parameter_count,
            "weights": rows,
        },
    )


def _parse_map(name: str, stored: Mapping[str, Any]) -> ComponentMap:
    """Build a map from its shipped JSON entry."""
    weights = tuple(
        Weight(".bias" if bias else "", frozenset(components), stack, layer, (size,), None, ())
        for components, stack, layer, bias, size in stored["weights"]
    )
    return ComponentMap(name, stored["model_type"], stored["layers"], stored["total"], weights)


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Any]:
    """Read the shipped counts, once."""
    return json.loads(COUNTS_FILE.read_text("utf-8"))


def shipped_bases() -> list[str]:
    """List the bases whose counts ship, the embedded ones first."""
    return list(_shipped())


@lru_cache(maxsize=64)
def shipped_map(name: str) -> ComponentMap:
    """Return the map of a base whose counts ship; BadInput names the others if they do not."""
    if name not in _shipped():
        raise unknown_name("base with shipped counts", name, _shipped())
    return _parse_map(name, _shipped()[name])


def find_map(name: str) -> ComponentMap:
    """Return the map of any base: shipped, else loaded, else built without weights."""
    if name in _shipped():
        return shipped_map(name)
    from peftcore.models.base_model import load

    return map_of_base(
        parameter_counts.meta_base(name)
        if name in parameter_counts.published_bases()
        else load(name)
    )


def write_counts(maps: Iterable[ComponentMap]) -> None:
    """Write the shipped counts anew from these maps."""
    counts_by_base = {
        base_map.base: {
            "model_type": base_map.model_type,
            "layers": base_map.layers,
            "total": base_map.total,
            "weights": [
                [sorted(w.components), w.stack, w.layer, w.is_bias, w.size]
                for w in base_map.weights
            ],
        }
        for base_map in maps
    }
    COUNTS_FILE.write_text(json.dumps(counts_by_base, separators=(",", ":")) + "\n", "utf-8")
