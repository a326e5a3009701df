"""Blind rating of explanations by people, and the way back into the comparison.

Experimenters make projects from runs; raters come by secret links and see one item at a time, their
own answer first.  `book` is the database, `acting` says who may do what, `assignment` hands out
items, `judging` writes what raters say, `screens` is all they see, `tables` is what experimenters
read.  Statistics live in `analysis`.  Nothing here imports torch.
"""

from peftcore.rating.acting import (
    Actor,
    Invitation,
    NotAllowed,
    experimenter,
    invite,
    renew_link,
    revoke,
    sign_in,
    sign_in_by_login,
)
from peftcore.rating.assignment import LeaseLost, Progress, go_to, next_item, progress
from peftcore.rating.book import Book
from peftcore.rating.creation import (
    Project,
    RaterRow,
    create,
    find,
    projects,
    raters,
    set_open,
)
from peftcore.rating.judging import Written, answer, rate, save_draft, skip, withdraw
from peftcore.rating.scales import (
    DIMENSIONS,
    QUESTIONS,
    SHORTCOMINGS,
    SIDES,
    STEPS,
    VERDICTS,
    Judgement,
    Mode,
    choices,
    in_words,
    step_score,
)
from peftcore.rating.screens import Briefing, Past, Screen, Text, briefing, history, screen
from peftcore.rating.settings import GUIDELINES, ProjectSettings
from peftcore.rating.tables import (
    HumanScore,
    adjudicate,
    adjudications,
    checks,
    comparisons,
    human_scores,
    items,
    key,
    projects_of,
    scored,
    sources,
    verdicts,
)

__all__ = [
    "DIMENSIONS",
    "GUIDELINES",
    "QUESTIONS",
    "SHORTCOMINGS",
    "SIDES",
    "STEPS",
    "VERDICTS",
    "Actor",
    "Book",
    "Briefing",
    "HumanScore",
    "Invitation",
    "Judgement",
    "LeaseLost",
    "Mode",
    "NotAllowed",
    "Past",
    "Progress",
    "Project",
    "ProjectSettings",
    "RaterRow",
    "Screen",
    "Text",
    "Written",
    "adjudicate",
    "adjudications",
    "answer",
    "briefing",
    "checks",
    "choices",
    "comparisons",
    "create",
    "experimenter",
    "find",
    "go_to",
    "history",
    "human_scores",
    "in_words",
    "invite",
    "items",
    "key",
    "next_item",
    "progress",
    "projects",
    "projects_of",
    "rate",
    "raters",
    "renew_link",
    "revoke",
    "save_draft",
    "scored",
    "screen",
    "set_open",
    "sign_in",
    "sign_in_by_login",
    "skip",
    "sources",
    "step_score",
    "verdicts",
    "withdraw",
]
