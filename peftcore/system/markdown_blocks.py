"""Parts of Markdown files that commands make: each stands between two comments.

`<!-- NAME: COMMAND -->` begins a block and says what makes it, `<!-- end -->` ends it.
"""

from __future__ import annotations

import re

END = "<!-- end -->"


def replace_block(text: str, name: str, content: str) -> str:
    """Return the text with the content of a block replaced; ValueError unless it is there once."""
    begin = re.compile(rf"<!-- {re.escape(name)}: [^\n]* -->\n")
    places = list(begin.finditer(text))
    if len(places) != 1:
        raise ValueError(f"{len(places)} blocks are called {name}; there must be one")
    after = text[places[0].end() :]
    if END not in after:
        raise ValueError(f"the block {name} has no end")
    return f"{text[: places[0].end()]}\n{content}\n\n{END}{after.partition(END)[2]}"
