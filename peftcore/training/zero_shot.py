"""Asks an untouched base a task's questions: which label word does it find likeliest?

Labels are compared by the likelihood of their words as the beginning of the answer, so a base need
not know in which words it is asked. Among several sets of words for the labels the one that suits
it best is chosen on training examples, never on those that are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.label_words import offered_words
from peftcore.data.task import Example, Task
from peftcore.data.templates import with_template
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher, TokenizedExample, pad_rows
from peftcore.models.label_pieces import FEW_PIECES, load_tokenizer, split_words
from peftcore.runs import zero_shot
from peftcore.runs.spec import RunSpec
from peftcore.runs.zero_shot import ZeroShot
from peftcore.training import evaluation, text_likelihood

CHOSEN_ON = 48  # training examples by which a set of words is chosen, as many as a run has
Words = Mapping[str, str]  # label → word


def reason_without(base: BaseModel, task: Task) -> str:
    """Return why a base has no answer of its own to a task; empty if it has one."""
    if base.kind == "encoder":
        return f"{base.name} reads but cannot write; without a trained head it has no answer"
    if not task.labels:
        return f"{task.title} has no fixed labels to choose among"
    return ""


def measure_for_run(
    spec: RunSpec, base: BaseModel, task: Task, stop: Callable[[], bool] = lambda: False
) -> ZeroShot | None:
    """Return what the base answers to a run's questions, measured unless it was before.

    task: the plain task, whose labels are names. None where the base has no answer, or every seed
    answers questions of its own. InterruptedError if `stop` returns true.
    """
    if reason_without(base, task) or spec.evaluation.protocol != "shared":
        return None
    words, template = spec.training.label_words, spec.training.template
    key = zero_shot.key_of(base.fingerprint, task.data_hash(), spec.evaluation, words, template)
    found = zero_shot.find(key)
    if found is None:
        task = with_template(task, template)
        rows = evaluation.examples_to_answer(task, spec.evaluation)
        found = measure(base, task, rows, words, stop)
        zero_shot.write(key, found)
    return found


def measure(
    base: BaseModel,
    task: Task,
    rows: Sequence[Example],
    label_words: Words | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ZeroShot:
    """Ask a base these examples of a task in two sets of words: the asked ones and the best."""
    if reason := reason_without(base, task):
        raise BadInput(reason)
    asked = {label: (label_words or {}).get(label, label) for label in task.labels}
    sets = [asked, *_known_sets(base, task.labels, asked)]
    train = task.load("train")
    key = f"{task.name}/zero-shot"
    few = task.sample_balanced(train, min(CHOSEN_ON, len(train)), key, "training")
    reader = _WordReader(base, stop)
    reader.read(few, [word for each in sets for word in each.values()])
    shares = [
        np.mean([one == row.label for one, row in zip(reader.choose(few, each), few, strict=True)])
        for each in sets
    ]
    best = sets[int(np.argmax(shares))]  # of equal ones the first: the asked words, if among them
    reader.read(rows, [*asked.values(), *best.values()])
    return ZeroShot(
        base=base.name,
        task=task.name,
        asked_words=asked,
        mapped_words=dict(best),
        tried=len(sets),
        chosen_on=len(few),
        examples=[row.id for row in rows],
        labels=[row.label or "" for row in rows],
        asked=reader.choose(rows, asked),
        mapped=reader.choose(rows, best),
    )


def _known_sets(base: BaseModel, labels: Sequence[str], asked: Words) -> list[dict[str, str]]:
    """Return the offered sets of words that the base writes in few pieces."""
    tokenizer = load_tokenizer(base)
    sets = [each for each in offered_words(labels) if each != asked]
    if tokenizer is None:
        return sets
    return [
        each
        for each in sets
        if all(
            word.writable and len(word.pieces) <= FEW_PIECES
            for word in split_words(tokenizer, labels, list(each.values()))
        )
    ]


class _WordReader:
    """Reads how likely an answer begins with a word; each example and word is read once."""

    def __init__(self, base: BaseModel, stop: Callable[[], bool]) -> None:
        """Take the base; `stop` is called between passes."""
        self.base, self.stop = base, stop
        self.adapted, self.batcher = unadapted_model(base), ExampleBatcher(base, ())
        self.known: dict[tuple[str, str], float] = {}  # example id, word → log-likelihood

    def choose(self, rows: Sequence[Example], words: Words) -> list[str]:
        """Return the label of the likeliest word for each example, which were read before."""
        labels = list(words)
        scores = np.array([[self.known[row.id, words[label]] for label in labels] for row in rows])
        return [labels[i] for i in scores.argmax(1)]

    def read(self, rows: Sequence[Example], words: Sequence[str]) -> None:
        """Read examples with these words: all of one piece in one pass, longer ones one by one."""
        pieces = {word: self._pieces(word) for word in words}
        single = {word: ids[0] for word, ids in pieces.items() if len(ids) == 1}
        if single:
            first = self._first_pieces(rows, list(single.values()))
            for column, word in enumerate(single):
                for row, value in zip(rows, first[:, column].tolist(), strict=True):
                    self.known[row.id, word] = value
        longer = [(row, word) for word, ids in pieces.items() if len(ids) > 1 for row in rows]
        if longer:
            read = [self._row(row, pieces[word]) for row, word in longer]
            sums = text_likelihood.measure(self.adapted, read, self._tell).sums[0]
            for (row, word), value in zip(longer, sums.tolist(), strict=True):
                self.known[row.id, word] = value

    def _pieces(self, word: str) -> list[int]:
        """Tokenise a word as a target begins; without the end, since the answer goes on."""
        ids: list[int] = self.base.tokenizer(word, add_special_tokens=False)["input_ids"]
        return ids

    def _row(self, example: Example, target_ids: list[int]) -> TokenizedExample:
        """Tokenise what a model reads of an example, with these pieces to write."""
        return replace(self.batcher.tokenize(example), target_ids=target_ids)

    def _first_pieces(self, rows: Sequence[Example], pieces: list[int]) -> NDArray[np.float64]:
        """Return the log-likelihood (n, pieces) of these pieces as the first of the answer."""
        any_piece = [self.base.tokenizer.eos_token_id]  # what is written at the place is not read
        read = [self._row(row, any_piece) for row in rows]
        lengths = [len(row.input_ids) + 1 for row in read]
        vocabulary = len(self.base.embeddings)
        found = np.zeros((len(rows), len(pieces)))
        budget = min(text_likelihood.MAX_TOKENS, text_likelihood.MAX_LOGITS // vocabulary)
        for indices in text_likelihood.batches(lengths, budget):
            self._tell(0, 0)
            batch = pad_rows(self.base, [read[i] for i in indices])
            with torch.no_grad():
                logits = self.adapted.logits(batch, self.adapted.centroid())[:, 0]
            found[indices] = torch.log_softmax(logits.double(), -1)[:, pieces].cpu().numpy()
        return found

    def _tell(self, done: int, total: int) -> None:
        if self.stop():
            raise InterruptedError
