"""ECQA: which of five answers is right, and why?

CommonsenseQA with human explanations, as the few-shot explanation benchmark uses it. The label is
the text of the answer, so every question has labels of its own; of the explanations only the
statements in favour of the right answer count.
"""

from __future__ import annotations

import string

from peftcore.data import sources
from peftcore.data.task import Example, Split, register
from peftcore.data.wording import CHOICE
from peftcore.errors import BadInput
from peftcore.tasks.kinds.explained import MARKER, ExplainedTask, explained_example, one_line

HUB = sources.HubSource("tasksource/ecqa", None, "main")
OPTIONS = tuple(f"q_op{number}" for number in range(1, 6))
FIELDS = {"q_text": str, **dict.fromkeys(OPTIONS, str), "q_ans": str, "taskA_pos": str}


@register
class ECQA(ExplainedTask):
    """Question and five answers → the right one and the reason."""

    name = "ecqa"
    title = "ECQA common sense"
    open_labels = True
    wording = CHOICE
    source_note = (
        "ECQA (Aggarwal et al., ACL 2021), CDLA-Sharing-1.0; questions of CommonsenseQA, MIT"
    )

    def load(self, split: Split) -> list[Example]:
        """Return the rows that have a statement in favour of the right answer."""
        rows = sources.load_rows(self.name, split, HUB, FIELDS)
        return [
            self._example(f"{split}-{number}", row, reason)
            for number, row in enumerate(rows)
            if (reason := in_favour(row["taskA_pos"]))
        ]

    def _example(self, key: str, row: sources.Row, reason: str) -> Example:
        """Build the example of a row; BadInput if the answer is not an option."""
        options = [one_line(row[option]).lower() for option in OPTIONS]
        answer = one_line(row["q_ans"]).lower()
        if answer not in options:
            raise BadInput(f"{self.name} {key}: the answer {answer!r} is none of {options}")
        listed_options = " ".join(
            f"({letter}) {option}"
            for letter, option in zip(string.ascii_uppercase, options, strict=False)
        )
        question = one_line(row["q_text"])
        source = f"explain {question.lower()} {MARKER} {listed_options}"
        return explained_example(key, source, answer, (reason,), (question, listed_options))


def in_favour(statements: str) -> str:
    """Join lines as the sentences of one text; empty if there is no line."""
    lines = [line for text in statements.splitlines() if (line := one_line(text))]
    return f"{'. '.join(lines)}.".replace("..", ".") if lines else ""
