"""Adapters of the peft package as runs, and those we have no equal for."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.exchanged_adapters import (
    EXPRESSIBLE,
    TASK,
    close,
    learnt,
    ours,
    refused,
    theirs,
)

from peftcore.exchange import folders, peft_import
from peftcore.models.base_model import load
from peftcore.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("own")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "method", "vertices", "settings"), EXPRESSIBLE)
def test_an_imported_folder_answers_like_the_run_it_came_from(
    tmp_path, family, method, vertices, settings
):
    run, base = learnt(family, method, vertices, **settings)
    folders.export_peft(run, 6, tmp_path / "out", base)
    back = folders.import_peft(tmp_path / "out", base, TASK)
    assert back.status().state == "done"
    assert back.scores() == {}
    assert back.manifest()["imported"]["base_in_file"] == base.name
    assert back.id != run.id
    close(ours(back, base, family, 0), ours(run, base, family, 1))
    assert RunStore().open(back.id).spec == back.spec
    assert folders.import_peft(tmp_path / "out", base.name, TASK).id == back.id


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "LORA"])
def test_a_folder_the_package_itself_wrote_is_imported(models, tmp_path, kind):
    """With what only strangers have: a second prompt nobody uses, unequal ranks, other scales."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForSeq2SeqLM

    plain = AutoModelForSeq2SeqLM.from_pretrained(models / "my-t5")
    config = peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
    if kind == "LORA":
        config = peft.LoraConfig(
            task_type="SEQ_2_SEQ_LM", r=2, lora_alpha=6, target_modules=["q", "wi"],
            rank_pattern={"wi": 4}, alpha_pattern={"wi": 3}, init_lora_weights=False,
            layers_to_transform=[1], layers_pattern="block",
        )  # fmt: skip
    model = peft.get_peft_model(plain, config)
    model.save_pretrained(tmp_path / "out")
    run = folders.import_peft(tmp_path / "out", "my-t5", TASK)
    close(ours(run, load("my-t5"), "t5", 0), theirs(models, "t5", tmp_path / "out"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "pattern", ["^model.layers.0.self_attn.q_proj", r"layers\.1\..*v_proj", "self_attn.v_proj"]
)
def test_patterns_of_modules_mean_what_they_mean_in_the_package(models, tmp_path, pattern):
    """Case A10 (huggingface/peft pull 2419)."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"],
        rank_pattern={pattern: 2}, alpha_pattern={pattern: 32}, init_lora_weights=False,
    )  # fmt: skip
    plain = AutoModelForCausalLM.from_pretrained(models / "my-llama")
    peft.get_peft_model(plain, config).save_pretrained(tmp_path / "out")
    run = folders.import_peft(tmp_path / "out", "my-llama", TASK)
    close(ours(run, load("my-llama"), "llama", 0), theirs(models, "llama", tmp_path / "out"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("projection", [False, True])
def test_a_prefix_of_the_package_on_grouped_heads_is_imported(models, tmp_path, projection):
    """Case A18 (huggingface/peft#1901, #2881), with and without the package's projection."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    config = peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=5, prefix_projection=projection,
        encoder_hidden_size=16 if projection else None,
    )  # fmt: skip
    plain = AutoModelForCausalLM.from_pretrained(models / "my-llama")
    assert plain.config.num_key_value_heads < plain.config.num_attention_heads
    peft.get_peft_model(plain, config).save_pretrained(tmp_path / "out")
    run = folders.import_peft(tmp_path / "out", "my-llama", TASK)
    close(ours(run, load("my-llama"), "llama", 0), theirs(models, "llama", tmp_path / "out"))


@pytest.mark.filterwarnings("ignore")
def test_settings_of_a_later_release_are_ignored_with_a_note_as_in_the_package(folder, models):
    """Case A24 (huggingface/peft pull 2038)."""
    before = folders.import_peft(folder, "my-t5", TASK)
    path = folder / "adapter_config.json"
    later = {"future_mode": "default", "future_size": 16, "future_use": False}
    path.write_text(json.dumps(json.loads(path.read_text()) | later))
    run = folders.import_peft(folder, "my-t5", TASK)
    (note,) = run.manifest()["imported"]["notes"]
    assert "future_mode (default), future_size (16)" in note
    assert "future_use" not in note
    assert note in run.status().message
    assert before.manifest()["imported"]["notes"] == []
    close(ours(run, load("my-t5"), "t5", 0), theirs(models, "t5", folder))


def test_every_setting_of_the_release_is_known():
    """So that what is unknown is of another one."""
    peft = pytest.importorskip("peft")
    if not peft.__version__.startswith(peft_import.PEFT_RELEASE):
        pytest.skip("another release")
    known = peft_import.IGNORED_CONFIG_KEYS | peft_import.UNSUPPORTED_CONFIG_KEYS
    assert {field.name for field in dataclasses.fields(peft.LoraConfig)} == known


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("stowaway", (1,), "'stowaway' does not belong to a LoRA adapter"),
        ("base_model.model.no.such.lora_A.weight", (8, 16), "does not have among the parts"),
        (
            "base_model.model.decoder.block.0.layer.0.SelfAttention.q.lora_A.weight",
            (8, 17),
            "needs 16 to 16",
        ),
    ],
)
def test_foreign_tensors_and_other_shapes_are_refused(folder, name, shape, message):
    path = folder / "adapter_model.safetensors"
    save_file(load_file(path) | {name: torch.zeros(shape)}, path)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "uses use_dora"),
        ({"bias": "all"}, "uses biases"),
        ({"modules_to_save": ["head"]}, "uses modules_to_save"),
        ({"peft_type": "VERA"}, "type VERA cannot be imported"),
        ({"task_type": "CAUSAL_LM"}, "is for CAUSAL_LM"),
        ({"alpha_pattern": {"(a+)+$": 3}}, "must name modules in full"),
        ({"lora_alpha": "much"}, "must be a positive number"),
    ],
)
def test_a_configuration_we_have_no_equal_for_is_refused(folder, change, message):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert message in refused(folder)
