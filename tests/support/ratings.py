"""Small rating projects and their raters, for tests."""

import itertools

from peftcore import rating
from peftcore.rating.creation import save_project
from peftcore.rating.item_sampling import RatingItem, TextOrigin

ME = rating.experimenter()
METHODS = ("zebra_tuning", "quokka_adapter")  # names that occur nowhere else
OPTIONS = ("entailment", "neutral", "contradiction")


def counted():
    """Return a function that counts up ids, from which orders and sides follow."""
    numbers = itertools.count()
    return lambda: f"{next(numbers):016x}"


def item(number, method=METHODS[0], run="aaaaaaaaaaaa", kind="rating", **values):
    """Build an item whose right answer and texts follow from its number."""
    label = OPTIONS[number % 3]
    return RatingItem(
        kind,
        f"task/test/{number}",
        label,
        (("premise", f"sentence {number}"), ("hypothesis", f"claim {number}")),
        OPTIONS,
        values.pop("texts", ((label, f"reason {number}"),)),
        values.pop("origins", (TextOrigin(0, run, method, number % 4, True),)),
        **values,
    )


def pair(number):
    """Build an item of two methods' texts about one question."""
    label = OPTIONS[number % 3]
    return item(
        number,
        texts=((label, f"reason {number}"), (label, f"other reason {number}")),
        origins=(TextOrigin(0, "a" * 12, METHODS[0]), TextOrigin(1, "b" * 12, METHODS[1])),
    )


def project(book, items=6, **settings):
    """Store a project of so many items, or of these."""
    listed = [item(n) for n in range(items)] if isinstance(items, int) else items
    chosen = rating.ProjectSettings.make({"overlap": 2, "checks": 0, "training": 0} | settings)
    return save_project(
        book, "Made up", "miniworld_nli", chosen, listed, {"methods": list(METHODS)}
    )


def rater(book, project, name="Ann"):
    """Invite a rater, and sign in by the link."""
    return rating.sign_in(book, rating.invite(book, ME, project.id, name).token)


def rate_next(book, who, verdict="yes", **fields):
    """Answer and rate the next item; return its lease, or None at the end."""
    shown = rating.next_item(book, who)
    if shown is None:
        return None
    rating.submit_answer(book, who, shown.lease, shown.options[0], f"answer {shown.lease}")
    judgement = rating.Judgement(verdict=verdict, **fields)
    rating.submit_rating(book, who, shown.lease, judgement, f"rating {shown.lease}")
    return shown.lease


def rate_all(book, who, verdict="yes", **fields):
    """Rate every item there is for a rater; return the leases."""
    return list(iter(lambda: rate_next(book, who, verdict, **fields), None))
