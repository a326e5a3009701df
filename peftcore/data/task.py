"""A task: a data set, how its rows are phrased, and how answers are scored.

A task's file has about fifty lines: where its rows come from, how a row reads, which metrics count.
Tasks never import torch; tokenising and batching are in `models.batching`, decoding is in
`training.evaluation`.
"""

from __future__ import annotations

import hashlib
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from peftcore.data import sources
from peftcore.data.wording import Wording
from peftcore.errors import BadInput
from peftcore.registry import Registry

Split = Literal["train", "validation", "test"]
SEPARATOR = " because "
QUESTIONS_BY_KIND = {  # what a task without words of its own asks
    "classify": "Which label fits?",
    "explain": "Which label fits, and why?",
    "generate": "What is this as a text?",
}


@dataclass(frozen=True)
class Example:
    """One row of a task.

    `source` is what a text-to-text or decoder model reads, template applied; `parts` is the same
    without the template, one or two plain texts, for encoders that read pairs.  `target` is what
    should be written.  `references` are all accepted outputs (data to text) or, for tasks with an
    explanation, all gold explanations.
    """

    id: str
    source: str
    target: str
    label: str | None = None
    references: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    value: float | None = None  # the gold number behind a label that rounds it


@dataclass(frozen=True)
class Answer:
    """A model's answer to one example, parsed by the task."""

    text: str  # as written
    label: str | None = None  # None: not readable as a label
    explanation: str | None = None


@dataclass(frozen=True)
class Episode:
    """Training and validation examples of one seed."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]


@dataclass(frozen=True)
class EpisodeProtocol:
    """Repetition scheme of a benchmark: how many episodes, each sampled with these sizes."""

    train: int
    dev: int
    episodes: int = 60


class Task(ABC):
    """A data set, its template and its metrics; `labels` is empty for free text and open labels.

    `labels` is empty for free text, and for open labels: words of each example's own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[Literal["classify", "explain", "generate"]]
    labels: ClassVar[tuple[str, ...]] = ()
    open_labels: ClassVar[bool] = False
    protocol: ClassVar[EpisodeProtocol | None] = None
    downloaded: ClassVar[bool] = False  # rows lie in the data folder under `name`, or on the hub
    dev_split: ClassVar[Split] = "validation"  # the split that validation examples are sampled from
    main_metric: ClassVar[str]  # a key of `score`: what charts and tables show first
    source_note: ClassVar[str]  # where the data come from and under which licence, one sentence
    max_new_tokens: ClassVar[int] = 48  # longest answer decoded
    wording: ClassVar[Wording] = Wording()  # what people read where a model reads the template
    image_world: ClassVar[str] = ""  # what its answers are pictures of; empty: they are text

    @abstractmethod
    def load(self, split: Split) -> list[Example]:
        """Return all examples of a split, in the same order always; BadInput if missing."""

    @abstractmethod
    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return metric name → value; `metrics.scores` has their titles and largest values.

        Shares, accuracies and ROUGE lie in [0, 1], BLEU and chrF in [0, 100].
        """

    def available(self) -> bool:
        """Return whether the rows can be read now without a network."""
        return not self.downloaded or sources.is_available(self.name)

    def generation_options(self, rows: Sequence[Example], tokenizer: Any) -> dict[str, Any]:
        """Return what `generate` needs beyond the run's own options to answer these rows."""
        return {}

    @property
    def has_text_pairs(self) -> bool:
        """Return whether an example consists of two texts."""
        return len(self.load("train")[0].parts) == 2

    def question_in_words(self) -> str:
        """Return what a person is asked about an example."""
        return self.wording.question or QUESTIONS_BY_KIND[self.kind]

    def parse(self, text: str) -> Answer:
        """Parse a label and an explanation from a model's text."""
        text = text.strip()
        if self.kind == "generate":
            return Answer(text)
        head, separator, tail = f"{text} ".partition(SEPARATOR)
        label = " ".join(head.lower().split()) if self.open_labels else head.strip().lower()
        known = label if label in self.labels or (self.open_labels and label) else None
        return Answer(text, known, tail.strip() if separator and self.kind == "explain" else None)

    def few_shot(self, k: int, seed: int, dev: int) -> Episode:
        """Sample k training and `dev` validation examples for a seed, the same in every process.

        With labels the sample is balanced as far as the data allow. Validation examples come from
        `dev_split`; where that is the training split, they are the rows after the first k of the
        same sample. Either way none is a training example too.
        """
        rows, key = self.load("train"), f"{self.name}/train/{seed}"
        if self.dev_split == "train":
            return self._sample_both_from_train(rows, k, dev, key)
        return Episode(
            self.sample_balanced(rows, k, key, "training"),
            self.sample_balanced(
                self.load(self.dev_split), dev, f"{self.name}/dev/{seed}", "validation"
            ),
        )

    def episode(self, number: int) -> Episode:
        """Sample one of the benchmark's episodes, counted from 0.

        The benchmark's own list of seeds refers to its own shuffle; ours are sampled anew with its
        sizes and balance. The number takes the place of the seed in `few_shot`.
        """
        if self.protocol is None:
            raise BadInput(f"{self.title} has no fixed episodes; draw few-shot examples by seed")
        if number not in range(self.protocol.episodes):
            raise BadInput(
                f"{self.title} has episodes 0 to {self.protocol.episodes - 1}; got {number}"
            )
        return self.few_shot(self.protocol.train, number, self.protocol.dev)

    def _sample_both_from_train(self, rows: list[Example], k: int, dev: int, key: str) -> Episode:
        """Sample training and validation examples that do not overlap from one split."""
        if k + dev > len(rows):
            raise BadInput(
                f"{self.title} has {len(rows)} training examples, from which validation examples "
                f"are taken too; {k} and {dev} were asked for"
            )
        rng = random.Random(key)
        sampled = self._label_balanced(rows, rng)
        train, rest = sampled[:k], sampled[k : k + dev]
        rng.shuffle(train)
        return Episode(tuple(train), tuple(rest))

    def sample_balanced(
        self, rows: list[Example], k: int, key: str, what: str
    ) -> tuple[Example, ...]:
        """Sample k rows, all labels equally often where possible; equal keys sample equally.

        BadInput if there are fewer.
        """
        if k > len(rows):
            raise BadInput(f"{self.title} has {len(rows)} {what} examples; {k} were asked for")
        rng = random.Random(key)
        sampled = self._label_balanced(rows, rng)[:k]
        rng.shuffle(sampled)
        return tuple(sampled)

    def _label_balanced(self, rows: list[Example], rng: random.Random) -> list[Example]:
        """Shuffle the rows, then take one of each label in turn while there are any."""
        groups: dict[str | None, list[Example]] = {}
        for row in rng.sample(rows, len(rows)):
            groups.setdefault(row.label if self.labels else None, []).append(row)
        label_groups = [groups[label] for label in sorted(groups, key=str)]
        ordered: list[Example] = []
        for turn in range(max(map(len, label_groups))):
            ordered += [pile[turn] for pile in label_groups if turn < len(pile)]
        return ordered

    def data_hash(self) -> str:
        """Hash every row of every split: two results compare only if their hashes agree."""
        digest = hashlib.sha256()
        for split in ("train", "validation", "test"):
            for row in self.load(split):
                row_fields = asdict(row)
                if row.value is None:  # so that data without it keep the hash they had
                    del row_fields["value"]
                digest.update(json.dumps(row_fields, sort_keys=True).encode())
        return digest.hexdigest()[:16]


TASKS: Registry[type[Task]] = Registry("task", "peftcore.tasks")
register = TASKS.add
