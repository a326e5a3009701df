"""Sample the explanations to rate from the answers of runs, seeded, the same everywhere.

FEB (arXiv:2111.08284) samples correctly predicted examples, balanced over labels. So do we, spread
over the seeds of a run, and the same examples for every method where that is asked for. Equal
explanations of one answer are one item, which counts for every method that wrote it: raters need
not rate the same text twice.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from peftcore.errors import BadInput
from peftcore.rating.scales import DIMENSIONS, SIDES, VERDICTS, Mode
from peftcore.rating.settings import ProjectSettings

GOLD = "gold"
MISSING_EXPLANATION = "(no explanation)"
EXPECT_FIRST_TEXT = "first text"  # expected of a pair, on whichever side the rater saw it
CHECK_INSTRUCTION = (
    'This is not an explanation but a check that you read along: please choose "{}".'
)
# Replaced in the feedback on a pair by the side on which its rater saw the first text.
SIDE_PLACEHOLDER = "{side}"
GOLD_FEEDBACK = (
    "This is the data set's own explanation of this very question, so it should justify it."
)
PAIR_FEEDBACK = (
    f"On the {SIDE_PLACEHOLDER} is the data set's own explanation; the other is about another "
    "question."
)
WRONG_FEEDBACK = (
    "This explanation was written for another question, so it cannot justify this answer."
)


@dataclass(frozen=True)
class TextOrigin:
    """The run, method and seed that a text comes from; only experimenters read it."""

    place: int  # which of the item's texts
    run: str
    method: str
    seed: int | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class RatingItem:
    """One text to rate, or a pair of them, before it has an id."""

    kind: str
    example: str
    label: str
    fields: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    origins: tuple[TextOrigin, ...] = ()
    expected: tuple[str, ...] = ()
    feedback: str = ""


@dataclass(frozen=True)
class RatedQuestion:
    """An example as raters read it."""

    example: str
    label: str
    gold: str  # its first gold explanation
    fields: tuple[tuple[str, str], ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class RunAnswer:
    """One answer of one run."""

    run: str
    method: str
    seed: int
    label: str
    explanation: str
    correct: bool

    def same_text(self, other: RunAnswer) -> bool:
        """Return whether a rater could not tell the two answers apart."""
        return self.normalized_text() == other.normalized_text()

    def normalized_text(self) -> tuple[str, str]:
        """Return label and explanation in lower case with single spaces."""
        return _normalize(self.label), _normalize(self.explanation)


@dataclass(frozen=True)
class AnswerPool:
    """All that can be rated: questions, and each run's answers to them."""

    questions: Mapping[str, RatedQuestion]
    answers: Mapping[str, Mapping[str, Sequence[RunAnswer]]]  # run → example → one answer per seed
    labels: tuple[str, ...]


def sample_items(
    pool: AnswerPool, settings: ProjectSettings
) -> tuple[list[RatingItem], dict[str, Any]]:
    """Sample a project's items in a random order; also return what could not be used."""
    rng = random.Random(f"rating/{settings.seed}")
    facts: dict[str, Any] = {}
    sampled = _sample_answers(pool, settings, rng)
    if settings.mode == "pairwise":
        items, facts["equal_pairs"] = _pair_items(pool, sampled, settings, rng)
    else:
        items = _single_items(pool, sampled, settings)
    if not items:
        raise BadInput("nothing is left to rate: the runs wrote the same text everywhere")
    rng.shuffle(items)
    training_and_checks = [
        *_training_items(pool, settings, rng),
        *_check_items(pool, settings, rng),
    ]
    facts["examples"] = len({item.example for item in items})
    facts["merged"] = sum(len(item.origins) - len(item.texts) for item in items)
    return [*training_and_checks, *items], facts


def _sample_answers(
    pool: AnswerPool, settings: ProjectSettings, rng: random.Random
) -> dict[str, dict[str, RunAnswer]]:
    """Sample answers: run → example → answer."""
    usable = {
        run: {
            example: kept
            for example, answers in by_example.items()
            if (kept := [a for a in answers if a.correct or settings.pool == "all"])
        }
        for run, by_example in pool.answers.items()
    }
    same_examples = settings.same_examples or settings.mode == "pairwise"
    common = set.intersection(*(set(answers_by_example) for answers_by_example in usable.values()))
    shared = _sample_balanced(pool, sorted(common), settings.items, rng) if same_examples else []
    sampled: dict[str, dict[str, RunAnswer]] = {}
    for run, answers_by_example in usable.items():
        examples = (
            shared
            if same_examples
            else _sample_balanced(pool, sorted(answers_by_example), settings.items, rng)
        )
        if len(examples) < settings.items:
            correctness = "correctly answered " if settings.pool == "correct" else ""
            scope = (
                "by every one of these runs"
                if same_examples and len(usable) > 1
                else f"by run {run}"
            )
            suggestions = ["ask for fewer"]
            suggestions += ["take all answers"] * (settings.pool == "correct")
            suggestions += ["draw other examples for each method"] * (
                settings.same_examples and settings.mode != "pairwise" and len(usable) > 1
            )
            raise BadInput(
                f"only {len(examples)} examples were {correctness or 'answered '}{scope}; "
                f"{settings.items} were asked for: {' or '.join(suggestions)}"
            )
        sampled[run] = {example: rng.choice(answers_by_example[example]) for example in examples}
    return sampled


def _sample_balanced(
    pool: AnswerPool, examples: list[str], count: int, rng: random.Random
) -> list[str]:
    """Sample examples, one of each label in turn while there are any; open labels are one."""
    groups: dict[str, list[str]] = {}
    for example in rng.sample(examples, len(examples)):
        label = pool.questions[example].label if pool.labels else ""
        groups.setdefault(label, []).append(example)
    label_groups = [groups[label] for label in sorted(groups)]
    turns = range(max(map(len, label_groups), default=0))
    return [
        label_group[turn]
        for turn in turns
        for label_group in label_groups
        if turn < len(label_group)
    ][:count]


def _single_items(
    pool: AnswerPool, sampled: Mapping[str, Mapping[str, RunAnswer]], settings: ProjectSettings
) -> list[RatingItem]:
    """Make one item per different text, and of the data's own explanations if wanted."""
    by_text: dict[tuple[str, tuple[str, str]], list[RunAnswer]] = {}
    for answers in sampled.values():
        for example, answer in answers.items():
            by_text.setdefault((example, answer.normalized_text()), []).append(answer)
    if settings.gold:
        for example in dict.fromkeys(example for example, _ in list(by_text)):
            gold = _gold_answer(pool.questions[example])
            if gold:
                by_text.setdefault((example, gold.normalized_text()), []).append(gold)
    return [
        _make_item(pool.questions[example], [group[0]], [(0, answer) for answer in group])
        for (example, _), group in by_text.items()
    ]


def _pair_items(
    pool: AnswerPool,
    sampled: Mapping[str, Mapping[str, RunAnswer]],
    settings: ProjectSettings,
    rng: random.Random,
) -> tuple[list[RatingItem], int]:
    """Pair every two methods on every example; count, but leave out, equal texts."""
    items, equal_count = [], 0
    sides: dict[str, Mapping[str, RunAnswer]] = dict(sampled)
    if settings.gold:
        examples = next(iter(sampled.values()))
        golds = {example: _gold_answer(pool.questions[example]) for example in examples}
        sides[GOLD] = {example: gold for example, gold in golds.items() if gold}
    if len(sides) < 2:
        raise BadInput("a pair needs two runs, or one run and the data set's own explanations")
    for first, second in combinations(sides, 2):
        for example in sides[first]:
            if example not in sides[second]:
                continue
            pair = [sides[first][example], sides[second][example]]
            rng.shuffle(pair)
            if pair[0].same_text(pair[1]):
                equal_count += 1
                continue
            items.append(_make_item(pool.questions[example], pair, list(enumerate(pair))))
    return items, equal_count


def _gold_answer(question: RatedQuestion) -> RunAnswer | None:
    """Return the data's own explanation as an answer, or None."""
    if not question.gold:
        return None
    return RunAnswer("", GOLD, 0, question.label, question.gold, True)


def _make_item(
    question: RatedQuestion,
    shown_answers: Sequence[RunAnswer],
    placed_answers: Sequence[tuple[int, RunAnswer]],
) -> RatingItem:
    """Build an item from what is shown and where each text comes from."""
    return RatingItem(
        "rating",
        question.example,
        question.label,
        question.fields,
        question.options,
        tuple(
            (answer.label, answer.explanation or MISSING_EXPLANATION) for answer in shown_answers
        ),
        tuple(
            TextOrigin(
                index,
                answer.run,
                answer.method,
                None if answer.method == GOLD else answer.seed,
                answer.correct,
            )
            for index, answer in placed_answers
        ),
    )


def _training_items(
    pool: AnswerPool, settings: ProjectSettings, rng: random.Random
) -> list[RatingItem]:
    """Make training items with feedback, in turn a gold explanation and a wrong one."""
    with_gold = [question for question in pool.questions.values() if question.gold]
    if len(with_gold) < 2 or not settings.training:
        return []
    sampled = [with_gold[rng.randrange(len(with_gold))] for _ in range(settings.training)]
    items = []
    for turn, question in enumerate(sampled):
        other = rng.choice(
            [q for q in with_gold if _normalize(q.gold) != _normalize(question.gold)] or with_gold
        )
        good = turn % 2 == 0
        right, wrong = (question.label, question.gold), (question.label, other.gold)
        if settings.mode == "pairwise":
            items.append(
                _item_without_origin(
                    "training", question, (right, wrong), (EXPECT_FIRST_TEXT,), PAIR_FEEDBACK
                )
            )
            continue
        texts, feedback = ((right,), GOLD_FEEDBACK) if good else ((wrong,), WRONG_FEEDBACK)
        expected = _accepted_verdicts(settings.mode, good)
        items.append(_item_without_origin("training", question, texts, expected, feedback))
    return items


def _accepted_verdicts(mode: Mode, good: bool) -> tuple[str, ...]:
    """List the verdicts accepted for a good or a wrong explanation."""
    if mode == "likert":
        return ()
    return ("yes", "weak yes") if good else ("no", "weak no")


def _check_items(
    pool: AnswerPool, settings: ProjectSettings, rng: random.Random
) -> list[RatingItem]:
    """Make attention checks: items that say what to choose."""
    questions = list(pool.questions.values())
    items = []
    for question in rng.sample(questions, min(settings.checks, len(questions))):
        wanted = rng.choice(list(_check_instructions(settings.mode)))
        text = (question.label, CHECK_INSTRUCTION.format(wanted))
        texts = (text, text) if settings.mode == "pairwise" else (text,)
        items.append(_item_without_origin("check", question, texts, (wanted,), ""))
    return items


def _check_instructions(mode: Mode) -> Iterator[str]:
    """Yield what attention checks of this mode ask for."""
    if mode == "likert":
        yield from (f"{step} everywhere" for step in (2, 4))
    else:
        yield from (VERDICTS if mode == "single" else SIDES)


def training_feedback(feedback: str, flipped: bool) -> str:
    """Return a training item's feedback, naming the side where the first text was shown."""
    return feedback.replace(SIDE_PLACEHOLDER, "right" if flipped else "left")


def is_accepted(
    expected: Sequence[str], judgement: Mapping[str, Any], mode: Mode, flipped: bool = False
) -> bool | None:
    """Return whether a check or training item accepts a judgement; None if it accepts any."""
    if not expected:
        return None
    if mode == "likert":
        return {f"{judgement['scales'][name]} everywhere" for name in DIMENSIONS} == set(expected)
    if EXPECT_FIRST_TEXT in expected:
        return bool(judgement["verdict"] == ("right" if flipped else "left"))
    return judgement["verdict"] in expected


def _item_without_origin(
    kind: str,
    question: RatedQuestion,
    texts: tuple[tuple[str, str], ...],
    expected: tuple[str, ...],
    feedback: str,
) -> RatingItem:
    """Build a training or check item, which belongs to no run."""
    return RatingItem(
        kind,
        question.example,
        question.label,
        question.fields,
        question.options,
        texts,
        (),
        expected,
        feedback,
    )


def question_from_row(
    row: Mapping[str, Any], parts: Sequence[str], labels: Sequence[str]
) -> RatedQuestion:
    """Build a question from a row of answers; `parts` are its texts, if known."""
    source = str(row["source"])
    gold = list(row["references"]) or [_after_because(str(row["target"]))]
    return RatedQuestion(
        str(row["example"]),
        str(row["label"]),
        str(gold[0]),
        tuple((_part_name(source, part), part) for part in parts) or (("text", source),),
        tuple(labels) or tuple(re.findall(r"\([A-Ea-e]\) (.+?)(?= \([A-Ea-e]\) |$)", source)),
    )


def _part_name(source: str, part: str) -> str:
    """Return the template's name of a part: the word before it, as in "premise: …"."""
    match = re.search(rf"(\w+): {re.escape(part)}", source)
    return match.group(1) if match else "text"


def _after_because(target: str) -> str:
    """Return the explanation in a target text."""
    return target.partition(" because ")[2]


def answer_from_row(row: Mapping[str, Any], run: str, method: str) -> RunAnswer:
    """Build an answer from a row of a run's answers."""
    label = row["predicted"] if isinstance(row["predicted"], str) else str(row["text"])
    explanation = row["explanation"] if isinstance(row["explanation"], str) else ""
    correct = bool(row["correct"]) if not pd.isna(row["correct"]) else False
    return RunAnswer(run, method, int(row["seed"]), label, explanation.strip(), correct)


def _normalize(text: str) -> str:
    """Lower the case and collapse spaces."""
    return " ".join(text.lower().split())
