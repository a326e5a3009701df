"""READMEs say of runs what the runs say."""

import pytest

from peftcore.experiments import readme_blocks

PATHS = sorted({path for path, _ in readme_blocks.BLOCKS.values()})


@pytest.fixture(scope="module")
def written():
    """What the command would write."""
    return readme_blocks.readme_texts()


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_readmes_in_the_tree_are_what_the_command_writes(path, written):
    assert path.read_text("utf-8") == written[path]
