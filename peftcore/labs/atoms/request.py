"""Requests for measurements of atoms, and their jobs: folders on disk.

Kinds: coefficients read from text (`map`), scores with few atoms (`prune`), runs along a setting
that makes coefficients sparse (`path`), the atoms of two runs in one model (`combine`).  Needs no
torch: pages read what `compute` measures in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from peftcore.analysis import sparsity
from peftcore.analysis.comparison import ANY_VALUE, interval
from peftcore.analysis.sparsity import Array
from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.labs.common.cost import RowCounts
from peftcore.runs.spec import RunSpec
from peftcore.sweeps.grid import RunGrid, Variation, axis, vary

AtomsKind = Literal["map", "prune", "path", "combine"]
PathSetting = Literal["threshold", "l1", "top_k"]
KINDS: dict[AtomsKind, str] = {
    "map": "How large, how frequent and how sparse the coefficients of every atom are",
    "prune": "Loss and score with few atoms: the important ones, or random ones",
    "path": "Runs along a setting that makes coefficients sparse: density against quality",
    "combine": "Scores with the atoms of two runs at once, and with each alone",
}
ORDERS = {
    "importance": "by mean |coefficient| × length",
    "ablation": "by what removing it costs",
    "random": "in random order",
}
PATH_VALUES: dict[PathSetting, tuple[float, ...]] = {
    "threshold": (0.0, 0.5, 1.0, 1.5, 2.0),
    "l1": (0.0, 0.01, 0.1, 1.0),
    "top_k": (1.0, 2.0, 4.0),
}
STACKS = {"encoder": "Encoder", "decoder": "Decoder"}
FAMILY_NAMES = {"attention": "self", "cross": "cross", "ffn": "feed-forward"}


class AtomsRequest(background.JobRequest):
    """Everything that decides a measurement; equal requests are computed once."""

    kind: AtomsKind = Field("map", description="What is measured")
    runs: tuple[str, ...] = Field(
        min_length=1, max_length=2, description="Run; for combine two, as RUN or RUN/SEED"
    )
    read: int = Field(
        0,
        ge=0,
        le=5000,
        description="Examples of each seed's validation draw read for coefficients; 0: all",
    )
    examples: int = Field(
        100, ge=0, le=5000, description="Examples of the run's own split judged; 0: as many as it"
    )
    draws: int = Field(3, ge=1, le=50, description="Random orders of each seed")
    answers: bool = Field(True, description="Let it answer, too, and score the answers")
    tried: int = Field(
        0,
        ge=0,
        le=10**6,
        description="Atoms of each seed removed one by one, the most important first; 0: all",
    )
    over: PathSetting = Field("threshold", description="The setting that varies along a path")
    values: tuple[float, ...] = Field((), max_length=12, description="Its values; none: the usual")
    warm: bool = Field(
        False,
        description="Along a path, begin from the run whose coefficients are all in force, and "
        "LoRA from LoRA: every run has learnt twice as long",
    )

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different labs apart."""
        return {"of": "atoms"}

    def count_tried(self, atoms: int) -> int:
        """Return how many of so many atoms are removed one by one."""
        return min(self.tried or atoms, atoms)

    def count_rows(self, atoms: int, seeds: int, dev: int) -> RowCounts:
        """Return how many rows pruning reads and answers; dev: validation rows of a seed."""
        points = 2 + len(sparsity.pruning_counts(atoms)[1:-1]) * (2 + self.draws)
        judged = seeds * points * (self.examples or dev)
        removed = seeds * (1 + self.count_tried(atoms)) * (min(self.read, dev) or dev)
        return RowCounts(judged + removed, judged if self.answers else 0)

    def command(self) -> list[str]:
        """Return the arguments of the command, without settings."""
        return ["atoms", self.kind, *self.runs]


@dataclass(frozen=True)
class AtomsJob(BackgroundJob, kind="atoms"):
    """The folder of one ask; shipped ones lie among the assets and cannot be changed."""

    request: AtomsRequest

    FOLDER_NAME: ClassVar[str] = "atoms"
    REQUEST: ClassVar[type[background.JobRequest]] = AtomsRequest

    def entries_of(self, what: str) -> list[dict[str, Any]]:
        """Return the entries of one kind."""
        return [entry for entry in self.entries() if entry.get("what") == what]

    @property
    def sites(self) -> list[str]:
        """Return the matrices that have atoms, as "component:path"."""
        return list(self.facts.get("sites", []))

    @property
    def seed_numbers(self) -> list[int]:
        """Return the seeds of the run."""
        return list(self.facts.get("seeds", []))


@dataclass(frozen=True)
class AtomSite:
    """The place of a matrix with atoms, in words: "Decoder 2, cross query"; short: "D2 cross.q"."""

    key: str
    stack: str
    layer: int  # from 1
    component: str

    @property
    def title(self) -> str:
        """Return the name for people."""
        family, _, part = self.component.partition(".")
        matrix_name = f"{FAMILY_NAMES.get(family, family)} {part}".strip()
        return f"{STACKS.get(self.stack, 'Layer')} {self.layer}, {matrix_name}"

    def atom_name(self, index: int) -> str:
        """Return one atom's name as the paper writes it: layer and index."""
        family, _, part = self.component.partition(".")
        letter = {"encoder": "E", "decoder": "D"}.get(self.stack, "L")
        kind = {"attention": "", "cross": "x"}.get(family, "f") + part[:1]
        return f"{letter}{self.layer}.{kind}[{index}]" if kind else f"{letter}{self.layer}[{index}]"


def parse_site(key: str) -> AtomSite:
    """Parse the key "component:path" of a site."""
    component, _, path = key.partition(":")
    layer = re.search(r"\.(\d+)\.", f".{path}.")
    stack = path.split(".")[0] if path.split(".")[0] in STACKS else ""
    return AtomSite(key, stack, int(layer.group(1)) + 1 if layer else 1, component)


def parse_atom(key: str, sites: list[str], atoms_per_site: int) -> int:
    """Parse the number of an atom given as SITE:INDEX, a site by its place, key or short name."""
    site_name, _, index = key.rpartition(":")
    names = [str(index) for index in range(len(sites))]
    index_by_name = dict(zip([*names, *sites], [*range(len(sites))] * 2, strict=True))
    number_by_short_name = {
        parse_site(site_key).atom_name(i): site_index * atoms_per_site + i
        for site_index, site_key in enumerate(sites)
        for i in range(atoms_per_site)
    }
    if key in number_by_short_name:
        return number_by_short_name[key]
    if site_name in index_by_name and index.isdigit() and int(index) < atoms_per_site:
        return index_by_name[site_name] * atoms_per_site + int(index)
    raise BadInput(
        f"an atom is named like {parse_site(sites[0]).atom_name(0)} or 0:0, place of the matrix "
        "from "
        "0 to "
        f"{len(sites) - 1} and index from 0 to {atoms_per_site - 1}; got {key[:60]!r}"
    )


def coefficient_entries(job: AtomsJob, step: int | None = None) -> list[dict[str, Any]]:
    """Return the coefficients read of every seed, at the result or at a kept step."""
    return [entry for entry in job.entries_of("codes") if entry["step"] == step]


def entry_importance(entry: dict[str, Any]) -> Array:
    """Compute the importance (sites, m) of a seed's atoms from an entry."""
    return np.asarray(entry["size"]) * np.asarray(entry["norm"])


def entry_sparsity(entry: dict[str, Any]) -> sparsity.Sparsity:
    """Summarize how sparse a seed is from an entry."""
    usage, importance = np.ravel(entry["usage"]), entry_importance(entry).ravel()
    return sparsity.summarize_sparsity(
        entry["zeros"], entry["l0"], entry["hoyer"], usage, importance
    )


def sparsity_by_step(job: AtomsJob) -> pd.DataFrame:
    """Return one row per kept step and seed: step, seed and every measure of sparsity."""
    rows = [
        {"step": entry["step"], "seed": entry["seed"]} | vars(entry_sparsity(entry))
        for entry in job.entries_of("codes")
        if entry["step"] is not None
    ]
    columns = ["step", "seed", *sparsity.Sparsity.__dataclass_fields__]
    return pd.DataFrame(rows, columns=columns).sort_values(["step", "seed"], ignore_index=True)


def pruning_curves(job: AtomsJob) -> pd.DataFrame:
    """Return one row per value: what (loss, score), order, draw, seed, k, value.

    With all atoms, and with none, the order does not matter: those were measured once and are
    repeated in each order.
    """
    return pruning_curves_from(job.entries())


def pruning_curves_from(entries: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows of `pruning_curves` from entries that were read already."""
    ends = [e for e in entries if e.get("order") == "ends"]
    rows = []
    for entry in entries:
        if entry.get("what") not in ("loss", "score") or entry.get("order") == "ends":
            continue
        same_ends = [e for e in ends if (e["what"], e["seed"]) == (entry["what"], entry["seed"])]
        for source in (entry, *same_ends):
            for k, value in zip(source["k"], source["values"], strict=True):
                rows.append(
                    {name: entry[name] for name in ("what", "order", "draw", "seed")}
                    | {"k": k, "value": value}
                )
    table = pd.DataFrame(rows, columns=["what", "order", "draw", "seed", "k", "value"])
    return table.sort_values(["what", "order", "draw", "seed", "k"], ignore_index=True)


def curve_intervals(
    table: pd.DataFrame, what: str, within: tuple[float, float] = ANY_VALUE
) -> pd.DataFrame:
    """Return means and 95 % intervals over seeds: order, k, mean, low, high, n, draws.

    within: the smallest and largest value there can be.
    """
    keys = ["order", "k", "seed", "draw"]
    means = table[table["what"] == what].groupby(keys)["value"].mean()
    values_by_draw: dict[tuple[str, int], dict[int, dict[int, float]]] = {}
    for (order, k, seed, draw), value in means.dropna().items():
        values_by_draw.setdefault((order, int(k)), {}).setdefault(seed, {})[draw] = value
    rows: list[dict[str, Any]] = []
    for (order, k), seeds in values_by_draw.items():
        draws = sorted({draw for by_draw in seeds.values() for draw in by_draw})
        complete_seeds = [
            [by_draw[draw] for draw in draws]
            for by_draw in seeds.values()
            if len(by_draw) == len(draws)
        ]
        if complete_seeds:
            summary_interval = sparsity.interval_over_seeds(np.array(complete_seeds), within)
            rows.append({"order": order, "k": k, **vars(summary_interval), "draws": len(draws)})
    rows.sort(key=lambda row: (list(ORDERS).index(str(row["order"])), row["k"]))
    return pd.DataFrame(rows, columns=["order", "k", "mean", "low", "high", "n", "draws"])


def specs_along(
    spec: RunSpec, setting: PathSetting, values: Sequence[float], start: str = ""
) -> list[tuple[float, RunSpec]]:
    """Return the same run of atoms at each value of a setting, from another run if one is named.

    A threshold that is learnt would come from there as well, so then it stays as it is set.
    """
    if spec.method != "atoms":
        raise BadInput(f"a path varies a run of atoms; this one was made by {spec.method}")
    changes = {"start": start} | ({"settings.learned_threshold": False} if start else {})
    values = sorted(values or PATH_VALUES[setting])
    along = axis(f"settings.{setting}", map(int if setting == "top_k" else float, values))
    grid = RunGrid.around(spec, [Variation(changes=changes)], along)
    return list(zip(values, grid.specs, strict=True))


def lora_spec(spec: RunSpec, start: str = "") -> RunSpec:
    """Return LoRA of equal rank on the same matrices, at its own learning rate, otherwise alike.

    Where LoRA does not offer those matrices it is atoms without a threshold, which is the same.
    """
    rank = spec.settings["atoms"]
    size = {"settings.rank": rank, "settings.alpha": 2 * rank}
    try:
        return vary(spec, size | {"method": "lora", "training.learning_rate": None, "start": start})
    except BadInput:
        return dense_spec(spec, start)


def dense_spec(spec: RunSpec, start: str = "") -> RunSpec:
    """Return the same atoms with every coefficient in force: no threshold, no price, all kept."""
    dense = {"threshold": 0.0, "learned_threshold": False, "l1": 0.0, "top_k": 0, "rounds": 1}
    return vary(spec, {"start": start} | {f"settings.{name}": v for name, v in dense.items()})


LORA_MARGIN = 0.02  # below LoRA's mean that still counts as close to it


def describe_sparsest(points: Sequence[Mapping[str, Any]]) -> str:
    """Describe the run of a path with most exact zeros whose mean score is close to LoRA's."""
    lora = [interval(point["scores"]).mean for point in points if point["value"] is None]
    results = [
        (interval(point["zeros"]).mean or 0.0, interval(point["scores"]).mean, point["value"])
        for point in points
        if point["value"] is not None and point.get("zeros")
    ]
    if not lora or lora[0] is None or not results:
        return ""
    close_to_lora = [
        result for result in results if result[1] is not None and result[1] >= lora[0] - LORA_MARGIN
    ]
    if not close_to_lora:
        return f"No run of this path comes within {LORA_MARGIN:g} of LoRA's mean, {lora[0]:.3f}."
    zeros, score, value = max(close_to_lora)
    return (
        f"Most exact zeros at a mean within {LORA_MARGIN:g} of LoRA's {lora[0]:.3f}, or above: "
        f"{100 * zeros:.1f} % at {value:g}, where the mean is {score:.3f}."
    )
