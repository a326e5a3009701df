"""Which packages the project needs, at which release, and under which licence each comes.

Names come from requirements.txt and requirements-extra.txt, or from the installed package's own
record; what those need in turn is read from what is installed here.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from peftcore import paths

# Permissive licences, and two that ask for changes of their own files only (MPL, PSF).
ALLOWED = frozenset(
    (
        *("MIT", "MIT-0", "MIT-CMU", "BSD", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Zlib"),
        *("Apache-2.0", "PSF-2.0", "CNRI-Python", "CC0-1.0", "BSL-1.0", "MPL-2.0"),
    )
)
# The driver of PostgreSQL, which is imported as it is and never part of what we hand on.
ALLOWED_BESIDE = ALLOWED | {"LGPL-3.0-only"}
# What their records leave out, read from the licence file each brings.
READ_BY_HAND = {"axe-playwright-python": "MIT", "xstatic-jquery": "MIT"}
FORMS = (  # of the free text of older records, and of the classifiers of the index
    (r"MPL-2\.0 AND MIT", "MPL-2.0 AND MIT"),
    (r"\bLGPL", "LGPL"),
    (r"\bA?GPL|GNU General|GNU Affero", "GPL"),
    (r"Mozilla Public|MPL", "MPL-2.0"),
    (r"Apache", "Apache-2.0"),
    (r"Python Software Foundation|PSFL?\b", "PSF-2.0"),
    (r"\bISC\b|\(ISCL\)", "ISC"),
    (r"\bMIT\b", "MIT"),
    (r"BSD", "BSD"),
)
RUN_TIME, BESIDE = "requirements.txt", "requirements-extra.txt"
LONGEST = 60  # characters; what is longer is a whole licence, whose words say little


@dataclass(frozen=True)
class Package:
    """A package that is installed: its licence as an SPDX expression, and what needs it."""

    name: str
    version: str
    licence: str
    use: Literal["run time", "beside"]

    @property
    def allowed(self) -> bool:
        """Return whether the licence is on the list for this use."""
        return is_allowed(self.licence, ALLOWED if self.use == "run time" else ALLOWED_BESIDE)


def list_packages() -> list[Package]:
    """List what is needed and installed, by name: at run time, then beside it (tests, options)."""
    at_run_time = _with_needs(_required(RUN_TIME))
    beside = _with_needs(_required(BESIDE)) - at_run_time
    rows = [_describe(name, "run time") for name in sorted(at_run_time)]
    return rows + [_describe(name, "beside") for name in sorted(beside)]


def is_allowed(expression: str, allowed: frozenset[str] = ALLOWED) -> bool:
    """Return whether every part of an SPDX expression is allowed, or one of its alternatives."""
    parts = re.sub(r" WITH [\w.-]+|[()]", "", expression).split(" AND ")
    return all(any(each.strip() in allowed for each in part.split(" OR ")) for part in parts)


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """Read a package's licence from its record; "unknown" where that names none."""
    by_hand = READ_BY_HAND.get(canonicalize_name(metadata["Name"]))
    stated = by_hand or _first(metadata, "License-Expression")
    if stated:
        return stated
    text = _first(metadata, "License")
    if len(text) <= LONGEST and (form := _form(text)):
        return form
    classifiers = [c for c in metadata.get_all("Classifier") or () if c.startswith("License ::")]
    forms = dict.fromkeys(form for each in classifiers if (form := _form(each)))
    return " AND ".join(forms) or "unknown"


def _first(metadata: importlib.metadata.PackageMetadata, field: str) -> str:
    """Return a field of a record; empty if it is not there."""
    return str((metadata.get_all(field) or [""])[0])


def _form(text: str) -> str:
    """Return the SPDX name of a licence that a text names; empty if it names none."""
    return next((name for pattern, name in FORMS if re.search(pattern, text)), "")


def _required(file: str) -> list[str]:
    """Return the requirements of a file; an installed package's own record has the first one's."""
    path = paths.ROOT / file
    if path.is_file():
        lines = (line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines())
        return [line for line in lines if line]
    return list(importlib.metadata.requires("adapter-lab") or ()) if file == RUN_TIME else []


def _with_needs(requirements: Sequence[str]) -> set[str]:
    """Return the names of these packages and of all that they need, as far as installed."""
    seen: set[tuple[str, str]] = set()  # name, and the extra it is wanted with or ""
    waiting = [Requirement(each) for each in requirements]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            name = canonicalize_name(wanted.name)
            if (name, extra) in seen or not (needs := _needs(name)):
                continue
            seen.add((name, extra))
            waiting += [n for n in needs if not n.marker or n.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def _needs(name: str) -> list[Requirement] | None:
    """Return what an installed package needs, itself first; None if it is not installed."""
    try:
        needs = importlib.metadata.requires(name) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    return [Requirement(name), *map(Requirement, needs)]


def _describe(name: str, use: Literal["run time", "beside"]) -> Package:
    """Describe an installed package."""
    package = importlib.metadata.distribution(name)
    return Package(name, package.version, licence_of(package.metadata), use)
