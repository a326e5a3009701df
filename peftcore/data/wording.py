"""What people read of a task where a model reads its template: question, texts and labels in words.

Nothing here reaches a model or a stored result: a label keeps its name in data, answers and scores,
and only its title is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wording:
    """A task in words; whatever is left empty has a default."""

    question: str = ""  # what a person is asked about the texts
    texts: tuple[str, ...] = ()  # titles of an example's parts, in their order
    labels: Mapping[str, str] = field(default_factory=dict)  # label → its title, where it is a code

    def text_titles(self, count: int, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Return titles of so many texts; `names` are what the data call them, if anything.

        Names that are all alike tell nothing, so the texts are numbered instead.
        """
        if len(self.texts) == count:
            return self.texts
        if len(names) == count and len(set(names)) == count and count:
            return tuple(name[:1].upper() + name[1:] for name in names)
        return tuple(f"Text {n + 1}" for n in range(count)) if count > 1 else ("Text",) * count

    def label_title(self, label: str) -> str:
        """Return a label as people read it."""
        return self.labels.get(label, label.replace("_", " "))


def same_meaning(what: str, labels: Mapping[str, str] | None = None) -> Wording:
    """Return the wording of a pair that may mean the same."""
    titles = (f"{what.capitalize()} 1", f"{what.capitalize()} 2")
    return Wording(f"Do both {what}s mean the same?", titles, labels or {})


INFERENCE = Wording(
    "Does the hypothesis follow from the premise, contradict it, or neither?",
    ("Premise", "Hypothesis"),
)
NONSENSE = Wording(
    "Which sentence makes no sense?",
    ("Sentence 1", "Sentence 2"),
    {"choice1": "Sentence 1", "choice2": "Sentence 2"},
)
CHOICE = Wording("Which answer is right?", ("Question", "Answers"))
