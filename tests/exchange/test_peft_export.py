"""Adapters as the peft package has them, and what it has no form for."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file
from support.adapters import random_adapted
from support.bases import FAMILIES
from support.exchanged_adapters import (
    EXPRESSIBLE,
    TASK,
    close,
    learnt,
    ours,
    theirs,
)
from support.families import build_family

from peftcore.errors import BadInput
from peftcore.exchange import folders, peft_export
from peftcore.models.base_model import restore_library_modules
from peftcore.models.batching import Batch

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
@pytest.mark.parametrize(
    ("name", "method", "settings"),
    [
        ("gpt_neox", "lora", {"components": ["attention.query", "attention.value", "ffn"]}),
        ("gpt_neox", "ia3", {}),
        ("gpt_neox", "prefix_tuning", {}),  # it rotates a part of each key
        ("phi3", "lora", {"components": ["attention.key", "attention.value"]}),
        ("gemma", "prompt_tuning", {}),  # it scales words as they enter
    ],
)
def test_the_package_says_the_same_of_matrices_that_hold_several_components(
    tmp_path, name, method, settings
):
    peft = pytest.importorskip("peft")
    base, ids = build_family(name), torch.tensor([[7, 9, 11, 8, 6], [8, 12, 20, 21, 9]])
    adapted = random_adapted(base, method, (0, 1), 1, **settings)
    written = peft_export.to_peft_files(adapted, 1)
    (tmp_path / "adapter_config.json").write_text(json.dumps(written.config))
    save_file(written.tensors, tmp_path / "adapter_model.safetensors")
    plain = restore_library_modules(copy.deepcopy(base.model))
    package = peft.PeftModel.from_pretrained(plain, tmp_path).eval()
    second = {n: t[[1]].detach() for n, t in adapted.tensors.items()}
    batch = Batch(ids, torch.ones_like(ids))
    with torch.no_grad(), adapted.active(adapted.centroid(1), 2, second) as (mix, _):
        mine = adapted.model(**adapted.model_inputs(batch, mix)).logits
        close(mine, package(input_ids=ids, attention_mask=torch.ones_like(ids)).logits)


def test_a_prefix_of_layers_that_rotate_unlike_has_no_form():
    adapted = random_adapted(build_family("gemma3_text"), "prefix_tuning", (0,), 1)
    with pytest.raises(BadInput, match="rotate keys by different angles"):
        peft_export.to_peft_files(adapted, 0)


def test_a_prefix_of_layers_that_see_a_window_comes_with_a_warning():
    adapted = random_adapted(build_family("mistral", True), "prefix_tuning", (0,), 1)
    assert "out of sight once the text is longer" in peft_export.to_peft_files(adapted, 0).notes[0]


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
