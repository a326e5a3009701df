"""Simulated raters: a seeded rule that reads and rates like a rater, for demos and load tests.

They are no people and say nothing about people.  A simulated rater compares an explanation with
the data set's own one (the share of words in common, F1), takes something off when the label is
wrong, adds a leniency of its own and some noise, and puts the result on the scale of the project.
It goes through the same calls as a person: question, own answer, explanation, verdict.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from peftcore.rating import scales
from peftcore.rating.access import Actor, invite, require_experimenter, sign_in
from peftcore.rating.assignment import next_item
from peftcore.rating.creation import find
from peftcore.rating.item_sampling import INSTRUCTED, NOT_WRITTEN
from peftcore.rating.rater_view import Screen, Text
from peftcore.rating.schema import PROJECTS
from peftcore.rating.store import Book
from peftcore.rating.submit import answer, rate

WRONG_LABEL = 0.6  # taken off where the label is wrong: what explains another answer is no reason
CUTS = (0.75, 0.5, 0.25)  # of yes, weak yes, weak no
TIE = 0.08  # two explanations closer than this are a tie


@dataclass(frozen=True)
class Traits:
    """What makes one simulated rater differ from another."""

    leniency: float
    noise: float
    skill: float  # how often the own answer is right
    pace: float  # seconds per word


TRAITS = (
    Traits(0.02, 0.10, 0.97, 0.45),
    Traits(-0.08, 0.12, 0.93, 0.70),
    Traits(0.12, 0.16, 0.90, 0.35),
    Traits(0.0, 0.22, 0.85, 0.25),
)


def simulate(
    book: Book,
    who: Actor,
    project: str,
    known: Mapping[str, tuple[str, str]],
    raters: int = 4,
    seed: int = 0,
    pass_time: Callable[[float], None] = lambda seconds: None,
) -> int:
    """Let simulated raters do what there is to do; returns how many ratings they made.

    `known` maps a question's text to its right answer and the data set's own explanation.  They
    take turns, so that each gets a share.  The project says from then on that it is simulated.
    """
    require_experimenter(who)
    facts = find(book, who, project).facts | {"simulated": True}
    with book.write() as connection:
        change = sa.update(PROJECTS).where(PROJECTS.c.id == project)
        connection.execute(change.values(facts=facts))
    names = [f"Simulated rater {number}" for number in range(1, raters + 1)]
    active = [
        (sign_in(book, invite(book, who, project, name).token), TRAITS[n % len(TRAITS)], name)
        for n, name in enumerate(names)
    ]
    made = 0
    while active:
        for one in list(active):
            person, traits, name = one
            shown = next_item(book, person)
            if shown is None:
                active.remove(one)
                continue
            _turn(book, person, traits, shown, known, f"{seed}/{name}", pass_time)
            made += 1
    return made


def _turn(
    book: Book,
    who: Actor,
    traits: Traits,
    shown: Screen,
    known: Mapping[str, tuple[str, str]],
    draw: str,
    pass_time: Callable[[float], None],
) -> None:
    asked = question_text(shown.fields)
    rng = random.Random(f"{draw}/{asked}")
    reading = traits.pace * len(asked.split()) * rng.uniform(0.7, 1.5)
    pass_time(reading)
    right, gold = known.get(asked, ("", ""))
    others = [option for option in shown.options if option != right]
    guess = right if rng.random() < traits.skill or not others else rng.choice(others)
    shown = answer(book, who, shown.lease, guess or "?", f"answer {shown.position}", reading)
    rng = random.Random(f"{draw}/{asked}/{[text.explanation for text in shown.texts]}")
    said = judge(shown, gold, traits, rng)
    words = sum(len(text.explanation.split()) for text in shown.texts)
    spent = 1.5 + traits.pace * words * rng.uniform(0.7, 1.8)
    pass_time(spent)
    rate(book, who, shown.lease, said, f"rating {shown.position}", spent)


def question_text(fields: Sequence[tuple[str, str]]) -> str:
    """A question in one string, by which its own explanation is found."""
    return " | ".join(text for _, text in fields)


def judge(shown: Screen, gold: str, traits: Traits, rng: random.Random) -> scales.Judgement:
    """What a simulated rater with these traits says about a screen."""
    told = _instructed(shown)
    worth = [
        _worth(text, shown.right_answer or "", gold) + traits.leniency + rng.gauss(0, traits.noise)
        for text in shown.texts
    ]
    if shown.mode == "pairwise":
        ahead = worth[0] - worth[1]
        side = "tie" if abs(ahead) < TIE else "left" if ahead > 0 else "right"
        blamed = () if told else [text for text in shown.texts if text.side != side]
        return scales.Judgement(verdict=told or side, shortcomings=_found(blamed, shown, gold))
    faults = _found(shown.texts, shown, gold)
    if shown.mode == "likert":
        steps = {name: _step(worth[0] + rng.gauss(0, 0.1)) for name in scales.DIMENSIONS}
        steps = dict.fromkeys(steps, int(told.split()[0])) if told else steps
        return scales.Judgement(scales=steps, shortcomings=faults)
    verdict = told or _verdict(worth[0])
    return scales.Judgement(
        verdict=verdict, shortcomings=() if told or verdict == "yes" else faults
    )


def _instructed(shown: Screen) -> str:
    """What an attention check asks to choose; empty if it is none."""
    before, after = INSTRUCTED.split("{}")
    text = shown.texts[0].explanation
    return text.removeprefix(before).removesuffix(after) if text.startswith(before) else ""


def _worth(text: Text, right: str, gold: str) -> float:
    """The share of words in common with the data's own explanation, less for a wrong label."""
    return common(text.explanation, gold) - WRONG_LABEL * (text.label.lower() != right.lower())


def common(one: str, other: str) -> float:
    """F1 of the words of two texts, each counted as often as it occurs."""
    left, right = Counter(one.lower().split()), Counter(other.lower().split())
    shared = sum((left & right).values())
    return 2 * shared / (left.total() + right.total()) if shared else 0.0


def _verdict(worth: float) -> str:
    return next((v for v, cut in zip(scales.VERDICTS, CUTS, strict=False) if worth >= cut), "no")


def _step(worth: float) -> int:
    return min(max(round(1 + 4 * worth), 1), 5)


def _found(texts: Sequence[Text], shown: Screen, gold: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fault for text in texts for fault in _faults(text, shown, gold)))


def _faults(text: Text, shown: Screen, gold: str) -> list[str]:
    """The shortcomings that a rule can see."""
    if text.explanation == NOT_WRITTEN:
        return ["lacking"]
    words = text.explanation.lower().split()
    asked = question_text(shown.fields).lower()
    strange = set(words) - set(asked.split()) - set(gold.lower().split())
    faults = []
    if len(words) > 4 and len(set(words)) < 0.6 * len(words):
        faults.append("nonsensical")
    elif len(strange) > 0.5 * len(set(words)):
        faults.append("hallucinated")
    elif text.explanation.lower() in asked and common(text.explanation, gold) < CUTS[0]:
        faults.append("repeats_input")
    if text.label.lower() != (shown.right_answer or "").lower():
        faults.append("inaccurate")
    return faults or (["incomplete"] if common(text.explanation, gold) < CUTS[0] else [])
