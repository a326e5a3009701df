"""Settings of a rating project; the form, the command line and the checks follow."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from peftcore.rating.scales import Mode
from peftcore.settings import Settings

GUIDELINES = """\
First answer the question yourself. Then you see an answer and the reason given for it.

- Imagine your own explanation before you read the one that is shown.
- A good explanation is easy to understand and gives all the important reasons for the answer.
- Repeating or rephrasing the question is not an explanation.
- Leave small slips of grammar aside.
- Judge the explanation, not whether you like the answer.
"""


class ProjectSettings(Settings):
    """Settings by which explanations are sampled from runs and rated by people."""

    mode: Mode = Field("single", description="One explanation on four points, pairs, or scales")
    items: int = Field(
        30, ge=1, le=2000, description="Explanations of each method, or pairs of each two methods"
    )
    pool: Literal["correct", "all"] = Field(
        "correct",
        title="Answers drawn from",
        description="Explanations of correct answers only, as FEB does, or of all",
    )
    gold: bool = Field(
        True, title="Gold explanations, too", description="Mix in the data set's own explanations"
    )
    overlap: int = Field(3, ge=1, le=50, title="Raters per item", description="Raters of each item")
    items_per_rater: int = Field(
        0,
        ge=0,
        le=10_000,
        title="Most items per rater",
        description="Most items of one rater; 0: no limit",
    )
    checks: int = Field(
        2,
        ge=0,
        le=50,
        title="Attention checks",
        description="Attention checks, spread over a rater's way",
    )
    training: int = Field(
        2,
        ge=0,
        le=20,
        title="Practice items",
        description="Items with feedback that every rater begins with",
    )
    same_examples: bool = Field(
        True,
        title="Same examples for all",
        description="Draw the same examples for every method, so that methods compare fairly",
    )
    lease_minutes: int = Field(
        30,
        ge=1,
        le=1440,
        title="Hold an item (minutes)",
        description="Minutes after which an untouched item goes to others",
    )
    link_days: int = Field(
        0,
        ge=0,
        le=3650,
        title="Links work for (days)",
        description="Days after which a rater's link lets nobody in any more; 0: no end",
    )
    seed: int = Field(0, ge=0, le=10**6, title="Number of the draw", description="Seed of the draw")
    guidelines: str = Field(GUIDELINES, max_length=20_000, description="What raters read first")
