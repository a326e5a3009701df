"""Templates: in which words and order a task's texts are asked, beside the task's own phrasing.

{1}, {2} … stand for the texts of an example.  Every task offers a few, made of what people read of
it, and takes any other; data, labels and scores stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from peftcore.data.task import Example, Split, Task
from peftcore.errors import BadInput

PLACEHOLDER = re.compile(r"\{(\d+)\}")
LONGEST_TEMPLATE = 400  # characters


def offered_templates(task: Task) -> dict[str, str]:
    """Return name → template of those that a task offers; none where its texts are not apart."""
    texts = len(task.load("train")[0].parts)
    if not texts:
        return {}
    titles, question = task.wording.text_titles(texts), task.question_in_words()
    numbered = [f"{{{number}}}" for number in range(1, texts + 1)]
    named = " ".join(f"{t.lower()}: {n}" for t, n in zip(titles, numbered, strict=True))
    return {
        "question first": f"{question} {named}",
        "question last": f"{named} {question}",
        "texts alone": " ".join(numbered),
    }


def find_template(task: Task, text: str) -> str:
    """Return the template of an offered name, else the text itself, checked; empty: the task's own.

    BadInput for one that names a text which is not there, or none.
    """
    wanted = " ".join(text.split())
    if not wanted:
        return ""
    offered = offered_templates(task)
    if wanted in offered:
        return offered[wanted]
    if len(wanted) > LONGEST_TEMPLATE:
        raise BadInput(f"a template has at most {LONGEST_TEMPLATE} characters; got {len(wanted)}")
    if not PLACEHOLDER.search(wanted):
        names = ", ".join(map(repr, offered)) or "none"
        raise BadInput(
            f"a template is a text with {{1}}, {{2}} … for the texts of an example, or one that "
            f"{task.title} offers ({names}); got {wanted!r:.120}"
        )
    phrase(task.load("train")[:1], wanted)
    return wanted


def phrase(rows: Sequence[Example], template: str) -> list[Example]:
    """Phrase examples by a template, in which {1}, {2} … stand for the texts of an example.

    An empty template leaves them as the task phrases them.  BadInput for a text that is not there.
    """
    if not template.strip():
        return list(rows)
    wanted = sorted({int(number) for number in PLACEHOLDER.findall(template)})
    texts = min(len(row.parts) for row in rows)
    if not wanted or wanted[0] < 1 or wanted[-1] > texts:
        raise BadInput(
            f"a template names the texts of an example as {{1}} to {{{texts}}}; got {template!r}"
        )
    fill = lambda row: PLACEHOLDER.sub(lambda found: row.parts[int(found[1]) - 1], template)
    return [replace(row, source=fill(row)) for row in rows]


class _PhrasedTask(Task):
    """A task phrased by another template; what else it does is the plain task's."""

    plain: ClassVar[Task]
    template: ClassVar[str]

    def load(self, split: Split) -> list[Example]:
        """Return the plain task's rows, phrased by the template."""
        return phrase(self.plain.load(split), self.template)

    def data_hash(self) -> str:
        """Return the plain task's hash: the same data are asked by another template."""
        return self.plain.data_hash()


def with_template(task: Task, template: str) -> Task:
    """Return the task phrased by this template; itself if there is none."""
    if not template:
        return task
    fields: Mapping[str, object] = {
        "__doc__": type(task).__doc__,
        "plain": task,
        "template": template,
    }
    phrased: Task = type("PhrasedTask", (_PhrasedTask, type(task)), dict(fields))()
    return phrased
