"""Simulated raters: a seeded rule that reads and rates like a rater, for demos and load tests.

They are not people, and say nothing about people. A simulated rater compares an explanation with
the data set's own one (the share of words in common, F1), subtracts something when the label is
wrong, adds a leniency of its own and some noise, and maps the result to the scale of the project.
It goes through the same calls as a person: question, own answer, explanation, verdict.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from peftcore.rating import scales
from peftcore.rating.access import RatingUser, invite, require_experimenter, sign_in
from peftcore.rating.assignment import next_item
from peftcore.rating.creation import find_project
from peftcore.rating.item_sampling import CHECK_INSTRUCTION, MISSING_EXPLANATION
from peftcore.rating.rater_view import Screen, ShownText
from peftcore.rating.schema import PROJECTS
from peftcore.rating.store import RatingStore
from peftcore.rating.submit import submit_answer, submit_rating

WRONG_LABEL_PENALTY = 0.6  # what explains another answer is hardly a reason
VERDICT_THRESHOLDS = (0.75, 0.5, 0.25)  # of yes, weak yes, weak no
TIE_MARGIN = 0.08  # two explanations closer than this are a tie


@dataclass(frozen=True)
class RaterTraits:
    """The traits by which one simulated rater differs from another."""

    leniency: float
    noise: float
    skill: float  # how often the own answer is right
    pace: float  # seconds per word


TRAITS = (
    RaterTraits(0.02, 0.10, 0.97, 0.45),
    RaterTraits(-0.08, 0.12, 0.93, 0.70),
    RaterTraits(0.12, 0.16, 0.90, 0.35),
    RaterTraits(0.0, 0.22, 0.85, 0.25),
)


def simulate_raters(
    store: RatingStore,
    user: RatingUser,
    project: str,
    answers_by_question: Mapping[str, tuple[str, str]],
    raters: int = 4,
    seed: int = 0,
    pass_time: Callable[[float], None] = lambda seconds: None,
) -> int:
    """Let simulated raters rate all there is to rate; return how many ratings they made.

    `answers_by_question` maps a question's text to its right answer and the data set's own
    explanation. Raters take turns, so that each gets a share. The project is marked as simulated
    from then on.
    """
    require_experimenter(user)
    facts = find_project(store, user, project).facts | {"simulated": True}
    with store.write() as connection:
        change = sa.update(PROJECTS).where(PROJECTS.c.id == project)
        connection.execute(change.values(facts=facts))
    names = [f"Simulated rater {number}" for number in range(1, raters + 1)]
    active = [
        (sign_in(store, invite(store, user, project, name).token), TRAITS[n % len(TRAITS)], name)
        for n, name in enumerate(names)
    ]
    rating_count = 0
    while active:
        for entry in list(active):
            rater, traits, name = entry
            screen = next_item(store, rater)
            if screen is None:
                active.remove(entry)
                continue
            _rate_next_item(
                store, rater, traits, screen, answers_by_question, f"{seed}/{name}", pass_time
            )
            rating_count += 1
    return rating_count


def _rate_next_item(
    store: RatingStore,
    user: RatingUser,
    traits: RaterTraits,
    screen: Screen,
    answers_by_question: Mapping[str, tuple[str, str]],
    seed_key: str,
    pass_time: Callable[[float], None],
) -> None:
    """Answer the question on a screen, then rate its explanations."""
    question = question_text(screen.fields)
    rng = random.Random(f"{seed_key}/{question}")
    reading_seconds = traits.pace * len(question.split()) * rng.uniform(0.7, 1.5)
    pass_time(reading_seconds)
    right_answer, gold = answers_by_question.get(question, ("", ""))
    others = [option for option in screen.options if option != right_answer]
    guess = right_answer if rng.random() < traits.skill or not others else rng.choice(others)
    screen = submit_answer(
        store, user, screen.lease, guess or "?", f"answer {screen.position}", reading_seconds
    )
    rng = random.Random(f"{seed_key}/{question}/{[text.explanation for text in screen.texts]}")
    judgement = judge_screen(screen, gold, traits, rng)
    word_count = sum(len(text.explanation.split()) for text in screen.texts)
    rating_seconds = 1.5 + traits.pace * word_count * rng.uniform(0.7, 1.8)
    pass_time(rating_seconds)
    submit_rating(store, user, screen.lease, judgement, f"rating {screen.position}", rating_seconds)


def question_text(fields: Sequence[tuple[str, str]]) -> str:
    """Return a question as one string, by which its own explanation is found."""
    return " | ".join(text for _, text in fields)


def judge_screen(
    screen: Screen, gold: str, traits: RaterTraits, rng: random.Random
) -> scales.Judgement:
    """Return the judgement of a simulated rater with these traits."""
    instructed = _instructed_choice(screen)
    qualities = [
        _explanation_quality(text, screen.right_answer or "", gold)
        + traits.leniency
        + rng.gauss(0, traits.noise)
        for text in screen.texts
    ]
    if screen.mode == "pairwise":
        margin = qualities[0] - qualities[1]
        side = "tie" if abs(margin) < TIE_MARGIN else "left" if margin > 0 else "right"
        worse_texts = () if instructed else [text for text in screen.texts if text.side != side]
        return scales.Judgement(
            verdict=instructed or side, shortcomings=_all_shortcomings(worse_texts, screen, gold)
        )
    shortcomings = _all_shortcomings(screen.texts, screen, gold)
    if screen.mode == "likert":
        steps = {name: _step_for(qualities[0] + rng.gauss(0, 0.1)) for name in scales.DIMENSIONS}
        steps = dict.fromkeys(steps, int(instructed.split()[0])) if instructed else steps
        return scales.Judgement(scales=steps, shortcomings=shortcomings)
    verdict = instructed or _verdict_for(qualities[0])
    return scales.Judgement(
        verdict=verdict, shortcomings=() if instructed or verdict == "yes" else shortcomings
    )


def _instructed_choice(screen: Screen) -> str:
    """Return what an attention check asks to choose; empty if it is none."""
    before, after = CHECK_INSTRUCTION.split("{}")
    text = screen.texts[0].explanation
    return text.removeprefix(before).removesuffix(after) if text.startswith(before) else ""


def _explanation_quality(text: ShownText, right: str, gold: str) -> float:
    """Return the word overlap with the gold explanation, less for a wrong label."""
    return word_overlap_f1(text.explanation, gold) - WRONG_LABEL_PENALTY * (
        text.label.lower() != right.lower()
    )


def word_overlap_f1(one: str, other: str) -> float:
    """Return F1 of the words of two texts, each counted as often as it occurs."""
    left, right = Counter(one.lower().split()), Counter(other.lower().split())
    shared = sum((left & right).values())
    return 2 * shared / (left.total() + right.total()) if shared else 0.0


def _verdict_for(quality: float) -> str:
    """Return the four-point verdict for a quality."""
    return next(
        (v for v, cut in zip(scales.VERDICTS, VERDICT_THRESHOLDS, strict=False) if quality >= cut),
        "no",
    )


def _step_for(quality: float) -> int:
    """Return the step 1 to 5 for a quality."""
    return min(max(round(1 + 4 * quality), 1), 5)


def _all_shortcomings(texts: Sequence[ShownText], screen: Screen, gold: str) -> tuple[str, ...]:
    """List the shortcomings of all texts, each once."""
    return tuple(
        dict.fromkeys(
            shortcoming for text in texts for shortcoming in _text_shortcomings(text, screen, gold)
        )
    )


def _text_shortcomings(text: ShownText, screen: Screen, gold: str) -> list[str]:
    """List the shortcomings that a rule can detect."""
    if text.explanation == MISSING_EXPLANATION:
        return ["lacking"]
    words = text.explanation.lower().split()
    question = question_text(screen.fields).lower()
    unknown_words = set(words) - set(question.split()) - set(gold.lower().split())
    shortcomings = []
    if len(words) > 4 and len(set(words)) < 0.6 * len(words):
        shortcomings.append("nonsensical")
    elif len(unknown_words) > 0.5 * len(set(words)):
        shortcomings.append("hallucinated")
    elif (
        text.explanation.lower() in question
        and word_overlap_f1(text.explanation, gold) < VERDICT_THRESHOLDS[0]
    ):
        shortcomings.append("repeats_input")
    if text.label.lower() != (screen.right_answer or "").lower():
        shortcomings.append("inaccurate")
    return shortcomings or (
        ["incomplete"] if word_overlap_f1(text.explanation, gold) < VERDICT_THRESHOLDS[0] else []
    )
