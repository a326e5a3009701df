"""Models with an adapter merged into their weights."""

import pytest
import torch
from support.bases import FAMILIES
from support.exchanged_adapters import (
    close,
    given,
    learnt,
    ours,
)

from peftcore.errors import BadInput
from peftcore.exchange import folders
from peftcore.models.base_model import fingerprint

pytestmark = pytest.mark.usefixtures("own")


@pytest.mark.parametrize(
    ("family", "method", "settings"),
    [
        *((family, "lora", {}) for family in FAMILIES),
        ("gpt2", "lora", {"components": ["attention.key", "attention.value", "ffn"]}),
        ("t5", "atoms", {"threshold": 0.0}),
        *((family, "sparsefit", {}) for family in FAMILIES),
        ("bert", "bitfit", {}),
        ("t5", "full_fine_tuning", {}),
        ("gpt2", "full_fine_tuning", {}),
    ],
)
def test_a_merged_model_is_an_ordinary_model_that_says_the_same(tmp_path, family, method, settings):
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    run, base = learnt(family, method, 2, **settings)
    before = fingerprint(base.model)
    folders.export_merged(run, 6, tmp_path / "out", base)
    kinds = {"t5": AutoModelForSeq2SeqLM, "bert": AutoModel}
    plain = kinds.get(family, AutoModelForCausalLM).from_pretrained(tmp_path / "out")
    with torch.no_grad():
        close(plain.eval()(**given(family))[0], ours(run, base, family))
    assert "peftcore" not in (tmp_path / "out" / "config.json").read_text()
    assert fingerprint(base.model) == before == base.fingerprint


def test_a_method_that_does_more_than_change_weights_cannot_be_merged(tmp_path):
    run, base = learnt("t5", "prefix_tuning")
    with pytest.raises(BadInput, match="does more than change weights"):
        folders.export_merged(run, 5, tmp_path / "out", base)
