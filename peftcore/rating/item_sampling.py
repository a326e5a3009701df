"""Which explanations are rated: a seeded draw from the answers of runs, the same everywhere.

FEB (arXiv:2111.08284) draws correctly predicted examples, balanced over labels.  So do we, spread
over the seeds of a run, and the same examples for every method where that is asked for.  Equal
explanations of one answer are one item, which counts for every method that wrote it: raters need
not say the same thing twice.
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
NOT_WRITTEN = "(no explanation)"
FIRST = "first text"  # expected of a pair, on whichever side the rater saw it
INSTRUCTED = 'This is not an explanation but a check that you read along: please choose "{}".'
SIDE = "{side}"  # where a lesson on a pair says which side a rater saw the first text on
RIGHT = "This is the data set's own explanation of this very question, so it should justify it."
PAIR = f"On the {SIDE} is the data set's own explanation; the other is about another question."
WRONG = "This explanation was written for another question, so it cannot justify this answer."


@dataclass(frozen=True)
class Origin:
    """Where a text comes from; only experimenters ever read it."""

    place: int  # which of the item's texts
    run: str
    method: str
    seed: int | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class Item:
    """One thing to be rated, or a pair of them, before it has an id."""

    kind: str
    example: str
    label: str
    fields: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    origins: tuple[Origin, ...] = ()
    expected: tuple[str, ...] = ()
    feedback: str = ""


@dataclass(frozen=True)
class Question:
    """An example as raters read it."""

    example: str
    label: str
    gold: str  # its first gold explanation
    fields: tuple[tuple[str, str], ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """One answer of one run."""

    run: str
    method: str
    seed: int
    label: str
    explanation: str
    correct: bool

    def same_text(self, other: Said) -> bool:
        """Whether a rater could not tell the two apart."""
        return self.text() == other.text()

    def text(self) -> tuple[str, str]:
        """Label and explanation as compared: small letters, single blanks."""
        return _plain(self.label), _plain(self.explanation)


@dataclass(frozen=True)
class Pool:
    """Everything that could be rated: questions, and what each run said about them."""

    questions: Mapping[str, Question]
    said: Mapping[str, Mapping[str, Sequence[Said]]]  # run → example → one answer per seed
    labels: tuple[str, ...]


def draw(pool: Pool, settings: ProjectSettings) -> tuple[list[Item], dict[str, Any]]:
    """The items of a project in a random order, and facts about what the draw could not use."""
    rng = random.Random(f"rating/{settings.seed}")
    facts: dict[str, Any] = {}
    chosen = _examples(pool, settings, rng)
    if settings.mode == "pairwise":
        items, facts["equal_pairs"] = _pairs(pool, chosen, settings, rng)
    else:
        items = _singles(pool, chosen, settings)
    if not items:
        raise BadInput("nothing is left to rate: the runs wrote the same text everywhere")
    rng.shuffle(items)
    extra = [*_training(pool, settings, rng), *_checks(pool, settings, rng)]
    facts["examples"] = len({item.example for item in items})
    facts["merged"] = sum(len(item.origins) - len(item.texts) for item in items)
    return [*extra, *items], facts


def _examples(
    pool: Pool, settings: ProjectSettings, rng: random.Random
) -> dict[str, dict[str, Said]]:
    """Run → example → the answer that was drawn."""
    usable = {
        run: {
            example: kept
            for example, answers in by_example.items()
            if (kept := [a for a in answers if a.correct or settings.pool == "all"])
        }
        for run, by_example in pool.said.items()
    }
    alike = settings.same_examples or settings.mode == "pairwise"
    common = set.intersection(*(set(found) for found in usable.values()))
    shared = _balanced(pool, sorted(common), settings.items, rng) if alike else []
    chosen: dict[str, dict[str, Said]] = {}
    for run, found in usable.items():
        examples = shared if alike else _balanced(pool, sorted(found), settings.items, rng)
        if len(examples) < settings.items:
            kind = "correctly answered " if settings.pool == "correct" else ""
            scope = "by every one of these runs" if alike and len(usable) > 1 else f"by run {run}"
            ways = ["ask for fewer"]
            ways += ["take all answers"] * (settings.pool == "correct")
            ways += ["draw other examples for each method"] * (
                settings.same_examples and settings.mode != "pairwise" and len(usable) > 1
            )
            raise BadInput(
                f"only {len(examples)} examples were {kind or 'answered '}{scope}; "
                f"{settings.items} were asked for: {' or '.join(ways)}"
            )
        chosen[run] = {example: rng.choice(found[example]) for example in examples}
    return chosen


def _balanced(pool: Pool, examples: list[str], count: int, rng: random.Random) -> list[str]:
    """So many examples, one of each label in turn while there are some; open labels are one."""
    groups: dict[str, list[str]] = {}
    for example in rng.sample(examples, len(examples)):
        label = pool.questions[example].label if pool.labels else ""
        groups.setdefault(label, []).append(example)
    piles = [groups[label] for label in sorted(groups)]
    turns = range(max(map(len, piles), default=0))
    return [pile[turn] for turn in turns for pile in piles if turn < len(pile)][:count]


def _singles(
    pool: Pool, chosen: Mapping[str, Mapping[str, Said]], settings: ProjectSettings
) -> list[Item]:
    """One item for each different text; the data's own explanation beside them if wanted."""
    by_text: dict[tuple[str, tuple[str, str]], list[Said]] = {}
    for answers in chosen.values():
        for example, said in answers.items():
            by_text.setdefault((example, said.text()), []).append(said)
    if settings.gold:
        for example in dict.fromkeys(example for example, _ in list(by_text)):
            gold = _gold(pool.questions[example])
            if gold:
                by_text.setdefault((example, gold.text()), []).append(gold)
    return [
        _item(pool.questions[example], [group[0]], [(0, said) for said in group])
        for (example, _), group in by_text.items()
    ]


def _pairs(
    pool: Pool,
    chosen: Mapping[str, Mapping[str, Said]],
    settings: ProjectSettings,
    rng: random.Random,
) -> tuple[list[Item], int]:
    """Every two methods on every example; two equal texts are no question and are counted."""
    items, equal = [], 0
    sides: dict[str, Mapping[str, Said]] = dict(chosen)
    if settings.gold:
        examples = next(iter(chosen.values()))
        golds = {example: _gold(pool.questions[example]) for example in examples}
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
                equal += 1
                continue
            items.append(_item(pool.questions[example], pair, list(enumerate(pair))))
    return items, equal


def _gold(question: Question) -> Said | None:
    if not question.gold:
        return None
    return Said("", GOLD, 0, question.label, question.gold, True)


def _item(question: Question, shown: Sequence[Said], said: Sequence[tuple[int, Said]]) -> Item:
    return Item(
        "rating",
        question.example,
        question.label,
        question.fields,
        question.options,
        tuple((text.label, text.explanation or NOT_WRITTEN) for text in shown),
        tuple(
            Origin(place, s.run, s.method, None if s.method == GOLD else s.seed, s.correct)
            for place, s in said
        ),
    )


def _training(pool: Pool, settings: ProjectSettings, rng: random.Random) -> list[Item]:
    """In turn the data's own explanation and one of another question, with what to learn of it."""
    asked = [question for question in pool.questions.values() if question.gold]
    if len(asked) < 2 or not settings.training:
        return []
    drawn = [asked[rng.randrange(len(asked))] for _ in range(settings.training)]
    items = []
    for turn, question in enumerate(drawn):
        other = rng.choice([q for q in asked if _plain(q.gold) != _plain(question.gold)] or asked)
        good = turn % 2 == 0
        right, wrong = (question.label, question.gold), (question.label, other.gold)
        if settings.mode == "pairwise":
            items.append(_plain_item("training", question, (right, wrong), (FIRST,), PAIR))
            continue
        texts, told = ((right,), RIGHT) if good else ((wrong,), WRONG)
        expected = _expected(settings.mode, good)
        items.append(_plain_item("training", question, texts, expected, told))
    return items


def _expected(mode: Mode, good: bool) -> tuple[str, ...]:
    if mode == "likert":
        return ()
    return ("yes", "weak yes") if good else ("no", "weak no")


def _checks(pool: Pool, settings: ProjectSettings, rng: random.Random) -> list[Item]:
    """Items that say what to choose; whoever reads them passes."""
    asked = list(pool.questions.values())
    items = []
    for question in rng.sample(asked, min(settings.checks, len(asked))):
        wanted = rng.choice(list(_instructions(settings.mode)))
        text = (question.label, INSTRUCTED.format(wanted))
        texts = (text, text) if settings.mode == "pairwise" else (text,)
        items.append(_plain_item("check", question, texts, (wanted,), ""))
    return items


def _instructions(mode: Mode) -> Iterator[str]:
    if mode == "likert":
        yield from (f"{step} everywhere" for step in (2, 4))
    else:
        yield from (VERDICTS if mode == "single" else SIDES)


def lesson(feedback: str, flipped: bool) -> str:
    """What a training item teaches, with the side on which its rater saw the first text."""
    return feedback.replace(SIDE, "right" if flipped else "left")


def passed(
    expected: Sequence[str], said: Mapping[str, Any], mode: Mode, flipped: bool = False
) -> bool | None:
    """Whether a judgement is one that a check or training item accepts; None if it accepts any."""
    if not expected:
        return None
    if mode == "likert":
        return {f"{said['scales'][name]} everywhere" for name in DIMENSIONS} == set(expected)
    if FIRST in expected:
        return bool(said["verdict"] == ("right" if flipped else "left"))
    return said["verdict"] in expected


def _plain_item(
    kind: str,
    question: Question,
    texts: tuple[tuple[str, str], ...],
    expected: tuple[str, ...],
    feedback: str,
) -> Item:
    return Item(
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


def question(row: Mapping[str, Any], parts: Sequence[str], labels: Sequence[str]) -> Question:
    """An example as raters read it, from a row of answers; `parts` are its texts, if known."""
    source = str(row["source"])
    gold = list(row["references"]) or [_after_because(str(row["target"]))]
    return Question(
        str(row["example"]),
        str(row["label"]),
        str(gold[0]),
        tuple((_name(source, part), part) for part in parts) or (("text", source),),
        tuple(labels) or tuple(re.findall(r"\([A-Ea-e]\) (.+?)(?= \([A-Ea-e]\) |$)", source)),
    )


def _name(source: str, part: str) -> str:
    """What the template calls a part: the word before it, as in "premise: …"."""
    found = re.search(rf"(\w+): {re.escape(part)}", source)
    return found.group(1) if found else "text"


def _after_because(target: str) -> str:
    return target.partition(" because ")[2]


def said(row: Mapping[str, Any], run: str, method: str) -> Said:
    """A row of answers."""
    label = row["predicted"] if isinstance(row["predicted"], str) else str(row["text"])
    explanation = row["explanation"] if isinstance(row["explanation"], str) else ""
    right = bool(row["correct"]) if not pd.isna(row["correct"]) else False
    return Said(run, method, int(row["seed"]), label, explanation.strip(), right)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
