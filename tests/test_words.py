"""The words of the field: no metaphor is an identifier or in a docstring.

What pages say is in tests/app/test_texts.py.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# fmt: off
METAPHORS = {
    "survey", "terrain", "ground", "parcel", "hands", "desk", "seat", "office", "shelf", "worn",
    "wear", "wearing", "dress", "told", "said", "held", "kin", "bury", "tend", "enlist", "dismiss",
    "reckon", "mend", "nought", "performing", "surveying", "probing", "weighing", "asking",
    "landscaping", "anatomy", "dissect",
}
# fmt: on
PLAIN_ENGLISH = {"ground", "hands", "told", "said", "held"}  # allowed in a test's name, a sentence
FIELD_WORDS = re.compile("held_?out|ground_?truth", re.IGNORECASE)
CORE = sorted(
    path.stem
    for path in (ROOT / "peftcore").iterdir()
    if path.suffix in ("", ".py") and path.stem[0] not in "_."
)
METAPHORS_IN_TEXT = re.compile(
    r"\b(wears?|worn|wearing|terrains?|survey(s|ed|ing)?|parcels?|desks?|seats?|offices?|shel(f|ves)"
    r"|kin|nought|reckon\w*|mend(s|ed|ing)?|anatomy|dissect\w*|grounds?(?! truth)"
    r"|(in|the) relief)\b",
    re.IGNORECASE,
)
RIDDLES = re.compile(
    r"\b(said|told|held(?![- ]out)|rid(e|es|ing)|seams?|at home|nobody's|upright)\b",
    re.IGNORECASE,
)
NO_ACT = re.compile("(What|How|Whether|Who|Where) ")  # a docstring says what is done, not a riddle


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")) or [ROOT / f"{folder}.py"]:
            # what made the old workspace runs on the old tree, and so in its words
            if "migrations" not in path.parts and path.parent.name != "old_workspace":
                yield path, *read(path)


@functools.cache
def read(path):
    """The identifiers of a file, and its docstrings as (name, text); a module has no name."""
    tree = ast.parse(path.read_text("utf-8"))
    return {*identifiers(tree), path.stem}, docstrings(tree)


def parts(name):
    """The words of an identifier, in lower case and in the singular too."""
    for word in re.findall(r"[A-Z]?[a-z]+", FIELD_WORDS.sub("", name)):
        yield word.lower()
        yield word.lower().removesuffix("s")


def identifiers(tree):
    for node in ast.walk(tree):
        for kind in ("name", "id", "arg", "attr"):
            name = getattr(node, kind, None)
            if isinstance(name, str):
                yield name


def docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(tree) if isinstance(node, kinds))
    found = ((getattr(n, "name", None), ast.get_docstring(n, clean=False)) for n in nodes)
    return [(name, text) for name, text in found if text]


@pytest.mark.parametrize("folder", ["peftcore", "app", "pages", "tests"])
def test_no_identifier_is_a_metaphor(folder):
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, names, _ in sources(folder)
        for name in names
        if METAPHORS.difference(PLAIN_ENGLISH if name.startswith("test_") else ()) & {*parts(name)}
    }
    assert not found


def test_words_of_the_field_are_no_metaphors():
    assert not METAPHORS & {*parts("held_out_GroundTruth")}
    assert METAPHORS & {*parts("RaterDesks")}
    assert METAPHORS & {*parts("_groundLevel")}


@pytest.mark.parametrize("name", CORE)
def test_docstrings_of_the_core_are_plain(name):
    found = {
        f"{path.relative_to(ROOT)}: {match[0]!r} in {text.strip().splitlines()[0]!r}"
        for path, _, texts in sources(f"peftcore/{name}")
        for _, text in texts
        for pattern in (METAPHORS_IN_TEXT, RIDDLES)
        for match in [pattern.search(text)]
        if match
    }
    assert not found


@pytest.mark.parametrize("name", CORE)
def test_a_function_of_the_core_says_what_it_does(name):
    found = {
        f"{path.relative_to(ROOT)}: {function}"
        for path, _, texts in sources(f"peftcore/{name}")
        for function, text in texts
        if function and NO_ACT.match(text)
    }
    assert not found


def test_the_glossary_names_files_that_are_there():
    text = (ROOT / "peftcore" / "README.md").read_text("utf-8").partition("## Glossary")[2]
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 40
    words = [word.strip() for word, _, _ in rows]
    assert len(set(words)) == len(words)
    for _, _, where in rows:
        path = where.strip().strip("`")
        assert (ROOT / "peftcore" / path).exists() or (ROOT / path).exists(), path
