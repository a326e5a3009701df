"""Requests to measure what runs changed, their jobs, and tables of what was found. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd
from pydantic import Field

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.settings import Settings

SITE = ["component", "stack", "layer", "path", "form"]  # what names a site in every table
SHARES = ["first", "second", "third"]  # of each of three runs in a mixture
MEASURES = {  # measure → title; of a site and a seed
    "relative": "Size of the change, relative to the base",
    "effect": "Change of its output, relative to the base",
    "stable_rank": "Stable rank of the change",
    "intruders": "Intruder directions",
}


class WeightsRequest(background.JobRequest):
    """One run, or two whose directions are compared."""

    runs: tuple[str, ...] = Field(min_length=1, max_length=2, description="Ids of one or two runs")
    examples: int = Field(
        4, ge=1, le=64, description="Validation examples on which outputs are compared"
    )
    directions: int = Field(8, ge=1, le=64, description="Directions of each change that count")
    top: int = Field(
        10, ge=1, le=64, description="Strongest directions of a tuned matrix that may be intruders"
    )
    cosine: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="A direction of the tuned matrix is an intruder if no direction of the base "
        "has a cosine of this with it",
    )

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different kinds apart."""
        return {"of": "weights"}

    def command(self) -> list[str]:
        """Return the arguments of the command that measures this."""
        return ["weights", *self.runs]


@dataclass(frozen=True)
class WeightsJob(BackgroundJob, kind="weights"):
    """The folder of one measurement; shipped ones lie among the assets."""

    request: WeightsRequest

    FOLDER_NAME: ClassVar[str] = "weights"
    REQUEST: ClassVar[type[Settings]] = WeightsRequest
    PROGRESS_WORDS: ClassVar[str] = "changes measured"

    def sites(self) -> pd.DataFrame:
        """Return a row for each changed site and seed, and what was measured of it."""
        return _table(self.entries(), "site")

    def overlaps(self) -> pd.DataFrame:
        """Return a row for each site and pair of seeds: φ of their directions on both sides."""
        return _table(self.entries(), "overlap")

    def trained(self) -> pd.DataFrame:
        """Return a row for each tensor that is trained, with its place and count."""
        columns = ["stack", "layer", "component", "tensor", "count"]
        return pd.DataFrame(self.plan().get("rows", []), columns=columns)


class CombiningRequest(background.JobRequest):
    """Two or three runs of one base and method, whose changes are mixed.

    Two are mixed along a line, three over a triangle.
    """

    runs: tuple[str, ...] = Field(
        min_length=2, max_length=3, description="Ids of two or three runs"
    )
    steps: int = Field(10, ge=2, le=60, description="Steps from one run to another")
    examples: int = Field(16, ge=1, le=1000, description="Validation examples of each task")
    seeds: int = Field(4, ge=1, le=64, description="Seeds that are mixed, each with its like")

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different kinds apart."""
        return {"of": "combining"}

    def command(self) -> list[str]:
        """Return the arguments of the command that measures this."""
        return ["combine", *self.runs]


@dataclass(frozen=True)
class CombiningJob(BackgroundJob, kind="combining"):
    """The folder of one line between two runs; shipped ones lie among the assets."""

    request: CombiningRequest

    FOLDER_NAME: ClassVar[str] = "combinations"
    REQUEST: ClassVar[type[Settings]] = CombiningRequest
    PROGRESS_WORDS: ClassVar[str] = "lines measured"

    def losses(self) -> pd.DataFrame:
        """Return a row for each seed, task and point: share of the second run, and loss."""
        columns = ["seed", "task", "run", "share", "loss"]
        rows = [
            [entry["seed"], entry["task"], entry["run"], share, loss]
            for entry in self.entries()
            if entry.get("what") == "loss_line"
            for share, loss in zip(entry["shares"], entry["losses"], strict=True)
        ]
        return pd.DataFrame(rows, columns=columns)

    def triangle(self) -> pd.DataFrame:
        """Return a row for each seed, task and point of three runs: three shares, and loss."""
        rows = [
            [entry["seed"], entry["task"], entry["run"], *shares, loss]
            for entry in self.entries()
            if entry.get("what") == "loss_triangle"
            for shares, loss in zip(entry["shares"], entry["losses"], strict=True)
        ]
        return pd.DataFrame(rows, columns=["seed", "task", "run", *SHARES, "loss"])

    def predictions(self) -> pd.DataFrame:
        """Return a row for each seed, pair of runs and site: cosine and sign conflicts."""
        return _table(self.entries(), "prediction")


def point_means(triangle: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each point: its shares, each run's mean loss over seeds, and their `sum`."""
    runs = list(dict.fromkeys(triangle["run"]))
    wide = triangle.pivot_table(index=SHARES, columns="run", values="loss", sort=False)
    return wide[runs].assign(sum=wide[runs].sum(axis=1)).reset_index()


def own_rises(losses: pd.DataFrame) -> pd.DataFrame:
    """Return for each seed and run how much its own task's loss is higher half-way than at its end.

    Columns seed, run, task, end, middle, rise.
    """
    rows = []
    for (seed, run, task), line in losses.groupby(["seed", "run", "task"], sort=False):
        by_share = line.set_index("share")["loss"]
        first = run == losses["run"].iloc[0]
        end = float(by_share[by_share.index.min() if first else by_share.index.max()])
        middle = float(by_share.iloc[(abs(by_share.index - 0.5)).argmin()])
        rows.append((seed, run, task, end, middle, middle - end))
    return pd.DataFrame(rows, columns=["seed", "run", "task", "end", "middle", "rise"])


def _table(entries: Sequence[dict[str, Any]], what: str) -> pd.DataFrame:
    """Return the entries of one sort as rows."""
    return pd.DataFrame([entry for entry in entries if entry.get("what") == what])


def is_measured(sites: pd.DataFrame, measure: str) -> bool:
    """Return whether a measure has a value at any site."""
    return measure in sites and bool(sites[measure].notna().any())


def site_means(sites: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Average a measure of seeds, or of pairs: a row for each site with mean, min, max, count."""
    grouped = sites.dropna(subset=[measure]).groupby(SITE, sort=False, dropna=False)[measure]
    return grouped.agg(["mean", "min", "max", "count"]).reset_index()
