"""The private words that no text of the app has, wherever it is written or drawn."""

import re

PRIVATE = re.compile(
    r"\b(wears?|wearing|worn|told|said|kin|nought|relief|ground|terrain|desk|seat|shelf|parcel"
    r"|survey|at hand|beside it|at home|looks elsewhere|as asked|learnt positions?"
    r"|trained numbers|(training|validation) draw)\b",
    re.IGNORECASE,
)
