"""The run spec: all that decides a result, from base, task and method to evaluation.

Equal specs are one run: its id is a hash of everything below with all defaults filled in.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from peftcore.registry import Registry
from peftcore.settings import Settings

# The contract of a method is in adapters/base.py, a later package; an id needs its `Config` only.
METHODS: Registry[Any] = Registry("method", "peftcore.methods")


class Members(Settings):
    """Members trained together: `seeds` independent simplexes of `vertices` vertices each."""

    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"seeds", "vertices", "first_seed"})

    seeds: int = Field(4, ge=1, le=64, description="Independent repetitions, for error bars")
    vertices: int = Field(
        1, ge=1, le=12, description="Corners of the simplex of adapters; 1 trains a single adapter"
    )
    first_seed: int = Field(
        0,
        ge=0,
        le=10**6,
        title="First seed",
        description="Number of the first seed; the others follow it",
    )
    draw: Literal["row", "layer", "batch"] = Field(
        "row",
        title="Points of a simplex drawn",
        description="Where a simplex draws points in training: for each example, for each example "
        "and layer (head apart), or one for a whole batch",
        json_schema_extra={"advanced": True},
    )

    def seed_numbers(self) -> list[int]:
        """List the seeds by number."""
        return list(range(self.first_seed, self.first_seed + self.seeds))


class Training(Settings):
    """Settings of training; the base stays in evaluation mode throughout."""

    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
        {"shots", "dev", "steps", "batch", "learning_rate", "optimiser", "schedule", "warmup"}
        | {"weight_decay", "clip", "evaluate_every", "patience", "precision"}
    )

    shots: int = Field(
        48,
        ge=1,
        le=5000,
        title="Training examples",
        description="Training examples of each seed, over all labels",
    )
    dev: int = Field(
        48,
        ge=1,
        le=1000,
        title="Validation examples",
        description="Validation examples of each seed",
    )
    steps: int = Field(200, ge=1, le=100_000, description="Optimiser steps")
    batch: int = Field(
        8, ge=1, le=256, title="Batch size", description="Examples of each seed in a step"
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=10,
        title="Learning rate",
        description="Peak learning rate; empty takes the method's own default",
    )
    optimiser: Literal["adamw", "adafactor"] = Field("adamw", description="Optimiser")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        title="Learning-rate schedule",
        description="How the learning rate falls after the warm-up",
    )
    warmup: float = Field(
        0.06,
        ge=0,
        le=1,
        title="Warm-up (share of the steps)",
        description="Share of the steps in which the rate rises",
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled weight decay")
    clip: float = Field(
        1.0,
        gt=0,
        le=1000,
        title="Gradient clipping",
        description="Largest gradient norm of a seed before it is scaled down",
    )
    evaluate_every: int = Field(
        25,
        ge=1,
        le=10_000,
        title="Steps between validations",
        description="Steps between two looks at dev",
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        title="Early stopping (validations without gain)",
        description="Looks at dev without a better one before a seed stops; 0: never",
    )
    select: Literal["loss", "labels"] = Field(
        "loss",
        title="Best step chosen by",
        description="What chooses the step that is kept: the dev loss, as in runs of earlier "
        "versions, or the share of dev labels that are right, the loss breaking ties; a task "
        "without labels has the loss",
        json_schema_extra={"advanced": True},
    )
    validation: Literal["stochastic", "deterministic"] = Field(
        "stochastic",
        title="Validation of a simplex",
        description="What a simplex is judged by on dev: random points of it, or its centroid",
        json_schema_extra={"advanced": True},
    )
    copies: int = Field(
        10,
        ge=2,
        le=100,
        title="Copies of the validation examples",
        description="Copies of dev in stochastic validation, every row at a point of its own",
        json_schema_extra={"advanced": True},
    )
    diversity: float = Field(
        0.0,
        ge=0,
        le=100,
        title="Diversity of vertices",
        description="Weight of the squared cosine between two vertices of a simplex in the loss",
        json_schema_extra={"advanced": True},
    )
    standardise: Literal["split", "draw"] = Field(
        "split",
        title="Head standardised on",
        description="What an encoder's head is standardised on: the training split's first 64 "
        "rows, as in runs of earlier versions, or the seed's own training examples, as in new ones",
        json_schema_extra={"advanced": True},
    )
    label_words: dict[str, str] = Field(
        default_factory=dict,
        title="Label words",
        description="Words that are read and written in place of labels, label by label; a label "
        "that is not named stands for itself",
        json_schema_extra={"advanced": True},
    )
    pair_head: Literal["joint", "towers"] = Field(
        "joint",
        title="Pairs on an encoder",
        description="Whether an encoder reads the two texts of a pair together, as in runs of "
        "earlier versions, or each alone; then the head reads both means and how far they differ",
        json_schema_extra={"advanced": True},
    )
    template: str = Field(
        "",
        max_length=400,
        title="Template",
        description="How the texts of an example are asked: a text with {1}, {2} … in their "
        "places, or the name of one that the task offers; empty: as the task phrases them",
        json_schema_extra={"advanced": True},
    )
    explanations: Literal["own", "shuffled", "truncated", "same_label", "other_label"] = Field(
        "own",
        title="Training explanations",
        description="What stands in training in place of an example's explanation: its own, its "
        "words in another order, its first third, or that of another example of the same or of "
        "another label; examples that are answered keep theirs",
        json_schema_extra={"advanced": True},
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        title="Precision of the base",
        description="Arithmetic of the base; auto takes bf16 where the hardware has it",
    )


class Evaluation(Settings):
    """Settings of evaluation: how the trained members answer and are scored."""

    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
        {"split", "limit", "beams", "max_new_tokens"}
    )

    split: Literal["validation", "test"] = Field(
        "test", title="Split that is answered", description="Split that is answered"
    )
    limit: int = Field(
        200,
        ge=1,
        le=100_000,
        title="Most examples answered",
        description="Most examples answered, drawn balanced",
    )
    beams: int = Field(
        1, ge=1, le=16, title="Beams of the search", description="Beams of the search; 1 is greedy"
    )
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        le=512,
        title="Longest answer (tokens)",
        description="Longest answer in tokens; empty takes the task's own",
    )
    protocol: Literal["shared", "feb"] = Field(
        "shared",
        title="Evaluation protocol",
        description="Shared: every seed answers the same rows. FEB (arXiv:2111.08284): every seed "
        "answers rows of its own, and an answer without an explanation is broken and wrong",
        json_schema_extra={"advanced": True},
    )


class RunSpec(Settings):
    """All that decides a result; `training.planning.build_spec` builds and checks one."""

    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
        {"base", "task", "method", "settings", "population", "training", "evaluation"}
    )

    base: str = Field(description="Base model")
    task: str = Field(description="Task")
    method: str = Field(description="Method")
    settings: dict[str, Any] = Field(default_factory=dict, description="The method's settings")
    population: Members = Members()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    start: str = Field(
        "",
        description="Run whose adapter is the starting point; empty starts from the method's own",
    )

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits: equal specs have equal ids."""
        return self.digest()

    def canonical_values(self) -> dict[str, Any]:
        """Return the fields that enter the digest, the method's by the rule of its `Config`."""
        values = super().canonical_values()
        if self.method in METHODS:
            config: type[Settings] = METHODS[self.method].Config
            values["settings"] = config.without_defaults(values["settings"])
        return values
