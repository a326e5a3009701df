"""Requests for landscapes, and their jobs: measurements whose rows are points.

The plan has every point with its place in the picture; a curve's job also has bend.safetensors, its
trained corner.  Needs no torch: pages read what `compute` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field, field_validator

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.labs.common.cost import RowCounts
from peftcore.runs.spec import RunSpec
from peftcore.sweeps.grid import RunGrid, axis
from peftcore.system import server_limits

LandscapeKind = Literal[
    "face", "scan", "cuts", "vertices", "random", "path", "plane", "curve", "flatness", "validation"
]
KINDS: dict[LandscapeKind, str] = {
    "face": "Loss over a face of the simplex: three vertices, or the centroid (c) and two",
    "scan": "Loss in the middle of every face, to find those worth looking at",
    "cuts": "Loss along every edge, and from the centroid to every vertex",
    "vertices": "Loss on the plane in which the vertices spread most",
    "random": "Loss on a plane along two random directions through the adapter",
    "path": "Loss on the plane in which the training path spreads most, with the path on it",
    "plane": "Loss on the plane through three adapters of equal shape",
    "curve": "Loss between two adapters: straight, and along a trained curve",
    "flatness": "How flat the loss around an adapter is, in numbers, for every seed",
    "validation": "What random points of the simplex say of the validation set",
}


class LandscapeRequest(background.JobRequest):
    """Everything that decides a landscape; equal requests are computed once."""

    kind: LandscapeKind = Field("face", description="What is looked at")
    runs: tuple[str, ...] = Field(
        min_length=1,
        max_length=3,
        description="Run, or adapters as RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED",
    )
    seed: int = Field(0, ge=0, le=63, description="Which seed of the run, counted from 0")
    split: Literal["dev", "train", "validation", "test", "general"] = Field(
        "dev",
        description="Examples: the seed's own validation or training draw, a whole split, or "
        "general text, on which the loss says what was forgotten",
    )
    examples: int = Field(24, ge=0, le=5000, description="Examples read at every point; 0: all")
    steps: int = Field(15, ge=2, le=60, description="Steps of the grid along a side")
    beyond: int = Field(1, ge=0, le=20, description="Steps of the grid past the face or the edge")
    face: tuple[str, str, str] = Field(
        ("0", "1", "2"),
        description="Corners of the face, as 0,1,c: vertices by number, c for the centroid",
    )
    metric: bool = Field(False, description="Let every point answer, too, and score the answers")
    normalisation: Literal["filter", "tensor", "none"] = Field(
        "filter",
        description="Random directions get the length of what they change, each vector "
        "or each tensor",
    )
    radius: float = Field(
        0.5, gt=0, le=10, description="How far random directions reach, in lengths of the adapter"
    )
    draw: int = Field(0, ge=0, le=10**6, description="Number that random directions depend on")
    bend_steps: int = Field(60, ge=1, le=5000, description="Training steps of a curve")
    copies: int = Field(30, ge=2, le=400, description="Random copies or points looked at")

    @field_validator("face", mode="before")
    @classmethod
    def _parse_corners(cls, value: object) -> object:
        """Parse three different corners, however they are written."""
        names = value.strip("[]() ").split(",") if isinstance(value, str) else value
        if not isinstance(names, Sequence):
            return names
        corners = [str(word).strip("\"' ") for word in names]
        if len(set(corners)) != 3 or len(corners) != 3:
            raise ValueError("three different corners are needed, such as 0,1,c")
        return corners

    def count_points(self, vertices: int) -> int:
        """Return about how many points a picture has, with a run of so many vertices."""
        side = self.steps + 1 + 2 * self.beyond
        edges = vertices * (vertices - 1) // 2
        faces = edges * (vertices - 2) // 3
        triangle = self.steps + 1 + 3 * self.beyond
        points = {
            "face": triangle * (triangle + 1) // 2,
            "scan": vertices + faces,
            "cuts": (edges + vertices) * side,
            "curve": 2 * side + 2 * self.bend_steps,  # a step of the bend reads its rows and back
        }
        return points.get(self.kind, side**2)

    def count_rows(self, vertices: int, dev: int) -> RowCounts:
        """Return about how many rows are read and answered; dev: validation rows of the run."""
        rows = self.count_points(vertices) * (self.examples or dev)
        return RowCounts(rows, rows if self.metric else 0)

    def check_size(self, vertices: int, dev: int) -> None:
        """Raise BadInput for more points or examples than this server measures in one picture."""
        points, rows = self.count_points(vertices), self.count_rows(vertices, dev).read
        advice = "take fewer steps, fewer examples, or another kind of picture"
        server_limits.POINTS.check(points, f"this picture has {points:,} points", advice)
        server_limits.READINGS.check(
            rows, f"{points:,} points read {rows:,} examples in all", advice
        )

    def command(self) -> list[str]:
        """Return the arguments of the command, without settings."""
        return ["landscape", *self.runs, "--kind", self.kind]


@dataclass(frozen=True)
class LandscapeJob(BackgroundJob, kind="landscape"):
    """The folder of one ask; shipped ones lie among the assets and cannot be changed."""

    request: LandscapeRequest

    FOLDER_NAME: ClassVar[str] = "landscapes"
    REQUEST: ClassVar[type[background.JobRequest]] = LandscapeRequest
    EXTRA_FILES: ClassVar[tuple[str, ...]] = ("bend.safetensors",)

    def table(self) -> pd.DataFrame:
        """Return a row per point: line, t, x, y, mark, weights, and loss and score where known."""
        rows = self.plan().get("rows", [])
        table = pd.DataFrame(rows, columns=["line", "t", "x", "y", "mark", "weights"])
        table = table.astype({"t": float, "x": float, "y": float})
        for name in ("loss", "score"):
            value_by_index = {
                i: v
                for e in self.entries()
                if e.get("what") == name
                for i, v in zip(e["at"], e["values"], strict=True)
            }
            table[name] = [value_by_index.get(i) for i in range(len(table))]
            table[name] = table[name].astype(float)
        return table


def specs_by_vertices(spec: RunSpec, counts: Sequence[int] = (1, 2, 3, 4, 6)) -> list[RunSpec]:
    """Return the same run with each of these numbers of vertices."""
    return RunGrid.around(spec, axis("population.vertices", counts)).specs
