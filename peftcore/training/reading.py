"""What the base reads of an example, where a method changes the text: a prompt, shown examples.

Each seed shows examples of its own training draw, so one example is another text for each seed.
Answers are kept under the example itself: what stands before it belongs to the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from peftcore import tasks
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import Adapter
from peftcore.data.task import Answer, Episode, Example, Task
from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation, RunSpec
from peftcore.training import evaluation
from peftcore.training.evaluation import PassControl


@dataclass(frozen=True)
class TextReader:
    """The texts that a method puts before an example, for every seed.

    shown: of each seed, the examples that stand before what it reads.  asked: how many the settings
    ask for; fewer are shown where more do not fit.
    """

    adapter: Adapter
    shown: tuple[tuple[Example, ...], ...]
    asked: int

    @property
    def fitted(self) -> int:
        """Return how many examples every seed shows."""
        return len(self.shown[0])

    @property
    def changes_text(self) -> bool:
        """Return whether the base reads anything but the examples."""
        return not self.adapter.trains()

    def read(self, seed_index: int, rows: Sequence[Example]) -> list[Example]:
        """Return the examples as the base reads them for this seed, counted from 0."""
        if not self.changes_text:
            return list(rows)
        return [self.adapter.read(row, self.shown[seed_index]) for row in rows]

    def episode(self, seed_index: int, episode: Episode) -> Episode:
        """Return a seed's examples as the base reads them."""
        if not self.changes_text:
            return episode
        return replace(episode, dev=tuple(self.read(seed_index, episode.dev)))

    def note(self, window: int | None) -> str:
        """Say how many examples fitted, where not all did."""
        if self.fitted == self.asked:
            return ""
        return (
            f"{self.fitted} of {self.asked} examples fitted into the window of {window} positions"
        )


def build_reader(
    adapter: Adapter,
    episodes: Sequence[Episode],
    batcher: ExampleBatcher,
    rows_of_seed: Callable[[int], Sequence[Example]],
) -> TextReader:
    """Build the reader of a run, with as many shown examples as fit before every row.

    rows_of_seed: what a seed, counted from 0, answers.  BadInput where the draw has fewer examples
    than asked for, or where no example fits.
    """
    asked = adapter.examples_shown(adapter.config)
    least = min(len(episode.train) for episode in episodes)
    if asked > least:
        raise BadInput(
            f"{asked} examples are to be shown, and a seed draws {least}: ask for more training "
            "examples, or show fewer"
        )
    for count in range(asked, -1, -1):
        reader = TextReader(adapter, tuple(e.train[:count] for e in episodes), asked)
        if not reader.changes_text or _fits(reader, episodes, batcher, rows_of_seed):
            return reader
    raise BadInput(
        f"the texts do not fit into the {batcher.base.structure.window} positions of "
        f"{batcher.base.name}, even with no example shown: shorten the instruction or the texts"
    )


def reader_of_run(
    spec: RunSpec,
    adapter: Adapter,
    batcher: ExampleBatcher,
    rows_of_seed: Callable[[int], Sequence[Example]],
) -> TextReader:
    """Build the reader of a run that answers other rows: it shows examples of its own task."""
    task, t = tasks.task_of(spec), spec.training
    numbers = spec.population.seed_numbers() if adapter.examples_shown(adapter.config) else ()
    # Examples to choose by are not read again, so that only the new rows decide what fits.
    episodes = [replace(task.few_shot(t.shots, number, t.dev), dev=()) for number in numbers]
    empty = Episode((), ())
    return build_reader(adapter, episodes or [empty] * spec.population.seeds, batcher, rows_of_seed)


def _fits(
    reader: TextReader,
    episodes: Sequence[Episode],
    batcher: ExampleBatcher,
    rows_of_seed: Callable[[int], Sequence[Example]],
) -> bool:
    """Return whether every seed's longest row fits behind what it shows."""
    if not batcher.base.structure.window:
        return True
    for index, episode in enumerate(episodes):
        rows = [*episode.dev, *rows_of_seed(index)]
        # All texts of a seed begin alike, so the longest row alone decides.
        longest = max(rows, key=batcher.positions)
        if not all(map(batcher.fits, reader.read(index, [longest]))):
            return False
    return True


def answer_by_seed(
    adapted: AdaptedModel,
    task: Task,
    reader: TextReader,
    rows: Sequence[Sequence[Example]],
    batcher: ExampleBatcher,
    options: Evaluation,
    control: PassControl,
) -> list[list[Answer]]:
    """Let each seed answer rows of its own, or its own reading of the rows.

    Without tensors equal texts get equal answers, so they are answered once.
    """
    total, before = sum(map(len, rows)), 0
    by_text: dict[tuple[str, ...], list[Answer]] = {}
    answers = []

    def report_all(done: int, of: int) -> None:
        control.report(before + done, total)

    for index, own_rows in enumerate(rows):
        texts = reader.read(index, own_rows)
        key = tuple(row.source for row in texts)
        known = by_text.get(key) if reader.changes_text else None
        if known is None:
            [known] = evaluation.answer_examples(
                *(adapted.one_seed(index), task, texts, batcher, options),
                replace(control, report=report_all),
            )
            by_text[key] = known
        answers.append(known)
        before += len(own_rows)
    return answers
