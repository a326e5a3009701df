"""Settings of a rating project; the form, the command line and the checks follow."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from peftcore.rating.scales import Mode
from peftcore.settings import Settings

LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
LATER = ("language", "translations")  # so that projects of before stay equal, byte for byte
MAX_GUIDELINES = 20_000  # characters
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
    guidelines: str = Field(
        GUIDELINES, max_length=MAX_GUIDELINES, description="What raters read first"
    )
    language: str = Field("en", description="Language of the guidelines, as en or pt-BR")
    translations: dict[str, str] = Field(
        default_factory=dict, max_length=30, description="The guidelines in other languages"
    )

    @field_validator("language")
    @classmethod
    def _is_a_tag(cls, tag: str) -> str:
        if not LANGUAGE_TAG.fullmatch(tag):
            raise ValueError("a language is written as en, de or pt-BR")
        return tag

    @field_validator("translations")
    @classmethod
    def _have_tags_and_texts(cls, texts: dict[str, str]) -> dict[str, str]:
        for tag, text in texts.items():
            cls._is_a_tag(tag)
            if not text.strip() or len(text) > MAX_GUIDELINES:
                raise ValueError(f"the guidelines in {tag} have 1 to {MAX_GUIDELINES:,} characters")
        return texts

    def stored_values(self) -> dict[str, Any]:
        """Return what a project keeps: fields of later versions only where they are chosen."""
        values = self.model_dump(mode="json")
        return {
            name: value
            for name, value in values.items()
            if name not in LATER or value != getattr(type(self)(), name)
        }
