"""Words that stand for labels: what a base reads and writes in place of a label's own name.

A label keeps its name in data, answers and scores; only the targets and how an answer is read
change. So a task can be asked in words that a base knows (verbalizers, arXiv:2001.07676).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from peftcore.data.task import SEPARATOR, Answer, Example, Split, Task
from peftcore.errors import BadInput, unknown_name

LONGEST_WORD = 60  # characters that stand for one label
# Label → words with its meaning; words at the same place go together. A label that is missing
# here has no words with its meaning: then any that are short and differ will do.
MEANINGS: Mapping[str, tuple[str, ...]] = {
    "entailment": ("true", "right", "surely", "yes"),
    "neutral": ("unknown", "not told", "perhaps", "maybe"),
    "contradiction": ("false", "wrong", "never", "no"),
    "not_entailment": ("false", "wrong", "never", "no"),
    "positive": ("good", "glad", "great"),
    "negative": ("bad", "upset", "terrible"),
    "no_impact": ("plain", "open", "okay"),
    "choice1": ("first", "one", "1"),
    "choice2": ("second", "two", "2"),
    "acceptable": ("right", "yes"),
    "unacceptable": ("wrong", "no"),
    "equivalent": ("same", "yes"),
    "not_equivalent": ("different", "no"),
    "duplicate": ("same", "yes"),
    "not_duplicate": ("different", "no"),
    "offensive": ("bad", "yes"),
    "not_offensive": ("good", "no"),
}
NEUTRAL_WORDS = (("A", "B", "C", "D", "E", "F"), ("one", "two", "three", "four", "five", "six"))


def offered_words(labels: Sequence[str]) -> list[dict[str, str]]:
    """Return sets of words that may stand for these labels, those with their meaning first.

    Labels with a meaning known here have words of it; then come letters and numbers in order.
    """
    found: list[dict[str, str]] = []
    if labels and all(label in MEANINGS for label in labels):
        columns = zip(*(MEANINGS[label] for label in labels), strict=False)
        found += [dict(zip(labels, words, strict=True)) for words in columns]
    for words in NEUTRAL_WORDS:
        if len(labels) <= len(words):
            found.append(dict(zip(labels, words, strict=False)))
    return [words for words in found if len(set(words.values())) == len(words)]


def check_words(labels: Sequence[str], words: Mapping[str, str]) -> dict[str, str]:
    """Return label → word without those that change nothing; BadInput for words that cannot be.

    A word must be one that an answer can be read by: not empty, of one label alone, and without
    the separator of explanations.
    """
    if words and not labels:
        raise BadInput("words can stand for labels alone, and this task has no fixed labels")
    for label in words:
        if label not in labels:
            raise unknown_name("label", label, labels)
    squeezed = {label: " ".join(str(word).split()) for label, word in words.items()}
    for label, word in squeezed.items():
        if not word or len(word) > LONGEST_WORD:
            raise BadInput(
                f"the word for {label!r} must have 1 to {LONGEST_WORD} characters; got {word!r:.80}"
            )
        if SEPARATOR in f" {word} ":
            raise BadInput(f"the word for {label!r} holds “because”, which separates explanations")
    written = [squeezed.get(label, label).lower() for label in labels]
    for word in written:
        if written.count(word) > 1:
            raise BadInput(f"{word!r} stands for two labels: every label needs a word of its own")
    return {label: word for label, word in squeezed.items() if word != label}


def parse_words(texts: Sequence[str]) -> dict[str, str]:
    """Read label=word pairs as they are typed; BadInput for one without a sign of equality."""
    words = {}
    for text in texts:
        label, equals, word = text.partition("=")
        if not equals:
            raise BadInput(f"a word for a label is typed as label=word; got {text!r:.80}")
        words[label.strip()] = word.strip()
    return words


def reword(example: Example, words: Mapping[str, str]) -> Example:
    """Return an example whose target begins with the word for its label."""
    word = words.get(example.label or "")
    if word is None or example.label is None or not example.target.startswith(example.label):
        return example
    return replace(example, target=word + example.target[len(example.label) :])


class _WordedTask(Task):
    """A task whose labels are written as other words; what else it does is the plain task's."""

    plain: ClassVar[Task]
    words: ClassVar[Mapping[str, str]]  # label → word, where it is not the label

    def load(self, split: Split) -> list[Example]:
        """Return the plain task's rows with targets in these words."""
        return [reword(row, self.words) for row in self.plain.load(split)]

    def parse(self, text: str) -> Answer:
        """Parse as the plain task does, with a label where its word stands."""
        answer = self.plain.parse(text)
        head = " ".join(f"{text.strip()} ".partition(SEPARATOR)[0].lower().split())
        by_word = {self.words.get(label, label).lower(): label for label in self.labels}
        return replace(answer, label=by_word.get(head))

    def data_hash(self) -> str:
        """Return the plain task's hash: the same data are asked in other words."""
        return self.plain.data_hash()


def with_words(task: Task, words: Mapping[str, str]) -> Task:
    """Return the task with these words for its labels; itself if there are none."""
    if not words:
        return task
    # A class for each set of words, as tasks keep what they are in their class.
    fields = {"__doc__": type(task).__doc__, "plain": task, "words": dict(words)}
    worded: Task = type("WordedTask", (_WordedTask, type(task)), fields)()
    return worded
