"""The table of the papers as it ships: read without statistics or torch; `papers` works it out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from peftcore import paths

PAPERS_FILE = paths.ASSETS / "papers.json"
NOT_ASKED = "not asked"


@dataclass(frozen=True)
class PaperRow:
    """One claim of a paper beside what was measured here."""

    paper: str
    claim: str
    published: str
    ours: str
    verdict: str  # ahead, behind, equal, cannot tell, or not asked
    differs: str


def read_papers() -> list[PaperRow]:
    """Read the table as Home shows it."""
    return [PaperRow(**row) for row in json.loads(PAPERS_FILE.read_text("utf-8"))]
