"""READMEs say of runs what the runs say."""

import pytest

from peftcore.experiments import readme_blocks
from peftcore.system.markdown_blocks import replace_block

PATHS = sorted({path for path, _ in readme_blocks.BLOCKS.values()})


@pytest.fixture(scope="module")
def written():
    """What the command would write."""
    return readme_blocks.readme_texts()


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_readmes_in_the_tree_are_what_the_command_writes(path, written):
    assert path.read_text("utf-8") == written[path]


def test_a_block_is_replaced_and_must_be_there_once():
    text = "a\n<!-- x: make -->\nold\n<!-- end -->\nb\n"
    assert replace_block(text, "x", "new") == "a\n<!-- x: make -->\n\nnew\n\n<!-- end -->\nb\n"
    with pytest.raises(ValueError, match="0 blocks"):
        replace_block(text, "y", "new")
    with pytest.raises(ValueError, match="no end"):
        replace_block(text.replace("<!-- end -->", ""), "x", "new")
