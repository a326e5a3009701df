"""Parts of Markdown files that commands write again."""

import pytest

from peftcore.system.markdown_blocks import replace_block


def test_a_block_is_replaced_and_must_be_there_once():
    text = "a\n<!-- x: make -->\nold\n<!-- end -->\nb\n"
    assert replace_block(text, "x", "new") == "a\n<!-- x: make -->\n\nnew\n\n<!-- end -->\nb\n"
    with pytest.raises(ValueError, match="0 blocks"):
        replace_block(text, "y", "new")
    with pytest.raises(ValueError, match="no end"):
        replace_block(text.replace("<!-- end -->", ""), "x", "new")
