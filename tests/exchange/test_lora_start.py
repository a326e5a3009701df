"""LoRA that began with a piece of the base itself, on the base as it is."""

import json

import pytest
import torch
from support.exchanged_adapters import TASK, close, ours, refused, theirs

from peftcore.exchange import folders
from peftcore.models.base_model import load
from peftcore.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("own")
TARGETS = {"llama": ["q_proj", "v_proj", "down_proj"], "gpt2": ["c_attn", "c_fc"]}


def saved_by_the_package(models, folder, family, **settings):
    """A learnt LoRA of the package itself."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=5, target_modules=TARGETS[family], **settings
    )
    torch.manual_seed(0)
    model = peft.get_peft_model(
        AutoModelForCausalLM.from_pretrained(models / f"my-{family}"), config
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"init_lora_weights": "pissa"}),
        ("gpt2", {"init_lora_weights": "pissa", "fan_in_fan_out": True}),
        ("llama", {"init_lora_weights": "olora"}),
        ("llama", {"init_lora_weights": "olora", "use_rslora": True}),
        ("llama", {"init_lora_weights": "gaussian"}),
    ],
)
def test_the_first_product_is_taken_off_so_that_logits_are_the_packages(
    models, tmp_path, family, settings
):
    """Case A05 (huggingface/peft#1929)."""
    folder = saved_by_the_package(models, tmp_path / "out", family, **settings)
    run = folders.import_peft(folder, f"my-{family}", TASK)
    close(ours(run, load(f"my-{family}"), family, 0), theirs(models, family, folder))
    changed = settings["init_lora_weights"] != "gaussian"
    assert run.spec.settings["rank"] == (6 if changed else 3)
    assert bool(run.manifest()["imported"]["notes"]) == changed


@pytest.mark.parametrize("start", ["pissa_niter_4", "corda", "lora_ga", "loftq", "later"])
def test_a_start_that_cannot_be_repeated_is_refused(folder, start):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"init_lora_weights": start}))
    message = refused(folder)
    assert repr(start) in message
    assert "path_initial_model_for_weight_conversion" in message
    assert not [r for r in RunStore().all(include_demos=False) if "imported" in r.manifest()]
