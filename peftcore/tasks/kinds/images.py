"""Tasks that ask for images: something new to generate, beside what the base knows.

Training shows a few examples of what is new and, for each of them, some of what the base could
generate before, so that it is not forgotten (as prior preservation does in arXiv:2208.12242).
Answers are sampled with noise that depends on the example alone: the same for every method and
seed.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Sequence
from statistics import fmean
from typing import Any, ClassVar

from peftcore.data.task import Answer, Episode, Example, Split, Task
from peftcore.errors import BadInput
from peftcore.tasks.images import canvas
from peftcore.tasks.images.canvas import Picture

NEW, OLD = "new", "old"  # what the id of an example says about it


def is_new(example: Example) -> bool:
    """Return whether an example asks for what the base never saw."""
    return f"/{NEW}/" in example.id


class ImageTask(Task):
    """Prompt → image."""

    kind = "generate"
    main_metric = "alignment"
    max_new_tokens = len(canvas.PIXELS)
    rehearsed: ClassVar[int] = 2  # old examples shown for each new one

    @abstractmethod
    def correctness(self, example: Example, picture: Picture) -> float:
        """Return 1.0 if an image shows what its prompt asks for, else 0.0."""

    def fact_share(self, example: Example, picture: Picture) -> float:
        """Return the share of what a prompt asks for that its image shows."""
        return self.correctness(example, picture)

    def few_shot(self, k: int, seed: int, dev: int) -> Episode:
        """Sample k new examples and `rehearsed` old ones for each; validate on what is new."""
        new_examples, old_examples = self._split("train")
        validation_examples, _ = self._split("validation")
        if k > len(new_examples) or dev > len(validation_examples):
            raise BadInput(
                f"{self.title} has {len(new_examples)} new examples for training and "
                f"{len(validation_examples)} for "
                f"validation; {k} and {dev} were asked for"
            )
        rng = random.Random(f"{self.name}/train/{seed}")
        train = (
            rng.sample(new_examples, k)
            + self._label_balanced(old_examples, rng)[: self.rehearsed * k]
        )
        rng.shuffle(train)
        validation = random.Random(f"{self.name}/dev/{seed}").sample(validation_examples, dev)
        return Episode(tuple(train), tuple(validation))

    def _split(self, split: Split) -> tuple[list[Example], list[Example]]:
        """Return the new and the old examples of a split."""
        rows = self.load(split)
        return [r for r in rows if is_new(r)], [r for r in rows if not is_new(r)]

    def generation_options(self, rows: Sequence[Example], tokenizer: Any) -> dict[str, Any]:
        """Return the options for sampling pixels, with noise by example."""
        from peftcore.tasks.images import sampling

        return sampling.sampling_options(tokenizer, [row.id for row in rows])

    def parse(self, text: str) -> Answer:
        """Parse the image to its short code."""
        return Answer(canvas.picture_to_code(canvas.words_to_picture(text)))

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return shares of new and old prompts whose image matches, and of facts."""
        pairs = [
            (row, canvas.code_to_picture(a.text)) for a, row in zip(answers, gold, strict=True)
        ]
        new = [pair for pair in pairs if is_new(pair[0])]
        old = [pair for pair in pairs if not is_new(pair[0])]
        if not new or not old:
            raise BadInput(f"{self.title} is scored on new and old prompts; raise the limit")
        return {
            "alignment": fmean(self.correctness(*pair) for pair in new),
            "old_alignment": fmean(self.correctness(*pair) for pair in old),
            "facts": fmean(self.fact_share(*pair) for pair in new),
        }


def image_example(
    key: str, prompt: str, picture: Picture, *, new: bool, label: str | None = None
) -> Example:
    """Build the example of a prompt and one image for it."""
    split, number = key.split("/")
    age = NEW if new else OLD
    return Example(f"{split}/{age}/{number}", prompt, canvas.picture_to_words(picture), label)
