"""Adapters as the peft package has them, and what it has no form for."""

import pytest
import torch
from support.bases import FAMILIES
from support.exchanged_adapters import (
    EXPRESSIBLE,
    TASK,
    close,
    learnt,
    ours,
    theirs,
)

from peftcore.errors import BadInput
from peftcore.exchange import folders

pytestmark = pytest.mark.usefixtures("own")

SCALES = [(family, "ia3", n, {}) for family, n in zip(FAMILIES, (1, 2, 1, 3), strict=True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "method", "vertices", "settings"), EXPRESSIBLE + SCALES)
def test_the_package_says_the_same_with_an_exported_folder(
    models, tmp_path, family, method, vertices, settings
):
    run, base = learnt(family, method, vertices, **settings)
    folders.export_peft(run, 6, tmp_path / "out", base)
    mine = ours(run, base, family)
    close(mine, theirs(models, family, tmp_path / "out"))
    assert not torch.allclose(mine, ours(run, base, family, 0), atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_a_prefix_on_learned_positions_needs_a_caller_who_moves_them(models, tmp_path):
    run, base = learnt("gpt2", "prefix_tuning", 2)
    with pytest.raises(BadInput, match="position_ids that begin at -4"):
        folders.export_peft(run, 5, tmp_path / "out", base)
    assert not (tmp_path / "out").exists()
    notes = folders.export_peft(run, 6, tmp_path / "out", base, moved_positions=True)
    assert "begin at -4" in notes[0]
    moved = torch.arange(-4, 1).expand(2, -1)
    mine = ours(run, base, "gpt2")
    close(mine, theirs(models, "gpt2", tmp_path / "out", position_ids=moved))
    assert not torch.allclose(mine, theirs(models, "gpt2", tmp_path / "out"), atol=1e-3)
    with pytest.raises(BadInput, match="cannot be imported: it has learned positions"):
        folders.import_peft(tmp_path / "out", base, TASK)


@pytest.mark.parametrize(
    ("family", "method", "reason"),
    [
        ("t5", "prefix_tuning", "none for the encoder and none for the decoder's look"),
        ("bert", "prefix_tuning", "moves the positions of an encoder's content"),
        ("bert", "prompt_tuning", "before an encoder's first token"),
        ("bert", "linear_probe", "has no form for Linear probe"),
        ("t5", "atoms", "cut off at a threshold"),
        ("t5", "sparsefit", "SparseFit as it is here: .* which a merged model can hold"),
    ],
)
def test_what_the_package_cannot_express_is_refused_with_the_reason(
    tmp_path, family, method, reason
):
    run, base = learnt(family, method)
    with pytest.raises(BadInput, match=rf"{reason}.* Our own format has it"):
        folders.export_peft(run, 5, tmp_path / "out", base)
    assert not (tmp_path / "out").exists()
