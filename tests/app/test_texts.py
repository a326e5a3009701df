"""Pages speak the field's words: private ones are refused in every text of the app."""

import ast
import re
from pathlib import Path

from support.refused_words import PRIVATE

ROOT = Path(__file__).parents[2]


def texts(path):
    """Every string of a file that reads as text; names, keys and docstrings are none."""
    tree = ast.parse(path.read_text("utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in statements:
            continue
        if isinstance(node.value, str) and re.search(r"^[A-Z]|\s", node.value):
            yield node.lineno, node.value


def test_no_text_of_a_page_has_a_private_word():
    found = [
        f"{path.relative_to(ROOT)}:{line} says {match[0]!r}"
        for folder in ("app", "pages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "url_state.py"  # which knows the old names of views
        for line, text in texts(path)
        if (match := PRIVATE.search(text))
    ]
    assert not found


def test_no_story_and_no_claim_on_home_has_a_private_word():
    paths = [*(ROOT / "assets" / "stories").glob("*.yaml"), ROOT / "assets" / "papers.json"]
    found = [
        f"{path.name}: {match[0]!r}"
        for path in sorted(paths)
        if (match := PRIVATE.search(path.read_text("utf-8")))
    ]
    assert len(paths) > 6
    assert not found


def test_the_words_are_found_in_texts_and_not_in_keys(tmp_path):
    (tmp_path / "page.py").write_text('"""It was said."""\nst.x("Worn by it", key="a.worn")\n')
    assert [text for _, text in texts(tmp_path / "page.py")] == ["Worn by it"]
    assert PRIVATE.search("Worn by it")
