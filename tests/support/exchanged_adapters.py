"""Random adapters, and what they say here and in the peft package."""

import pytest
import torch

from peftcore.errors import BadInput
from peftcore.exchange import folders
from peftcore.models.base_model import load
from peftcore.models.batching import Batch
from peftcore.runs.store import RunStore
from peftcore.training import planning
from peftcore.training.checkpoint import load_adapter, save_adapter

TASK = "miniworld_nli"

IDS = torch.tensor([[7, 9, 11, 8, 6], [8, 12, 20, 21, 9]])


def learnt(family, method, vertices=1, **settings):
    """A finished run of two seeds whose adapter is random, and its base."""
    base = load(f"my-{family}")
    if method in ("prompt_tuning", "spt", "prefix_tuning"):
        settings = {"length": 4} | settings
    spec = planning.build_spec(
        base.name, TASK, method, settings, {"seeds": 2, "first_seed": 5, "vertices": vertices}
    )
    adapted = planning.build_adapted(base, spec, fresh=False)
    rng = torch.Generator().manual_seed(7)
    for name, tensor in adapted.tensors.items():
        if not name.startswith("threshold:"):
            size = 0.1 if name.startswith("delta:") else 0.3
            tensor.data += size * torch.rand(tensor.shape, generator=rng)
    run = RunStore().create(spec)
    save_adapter(run, adapted, base)
    run.write_status(state="done")
    return run, base


def given(family):
    known = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    return known | ({"decoder_input_ids": IDS.flip(1)} if family == "t5" else {})


def ours(run, base, family, index=1):
    """What the centroid of one seed says: logits, or an encoder's states."""
    adapted = load_adapter(run, base)
    for name, tensor in adapted.tensors.items():
        adapted.tensors[name] = tensor[index : index + 1].detach()
    with adapted.active(adapted.centroid(1), 2, None) as (mix, _), torch.no_grad():
        types = torch.zeros_like(IDS) if family == "bert" else None
        batch = Batch(IDS, torch.ones_like(IDS), types)
        inputs = adapted.model_inputs(batch, mix)
        if family == "t5":
            inputs["decoder_input_ids"] = IDS.flip(1)
        return adapted.model(**inputs)[0]


def theirs(models, family, folder, **more):
    """What the peft package says after loading the folder onto its own copy of the base."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kinds = {"t5": AutoModelForSeq2SeqLM, "bert": AutoModel}
    extra = {"add_pooling_layer": False} if family == "bert" else {}
    plain = kinds.get(family, AutoModelForCausalLM).from_pretrained(
        models / f"my-{family}", **extra
    )
    model = peft.PeftModel.from_pretrained(plain, folder).eval()
    with torch.no_grad():
        return model(**given(family), **more)[0]


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


EXPRESSIBLE = [
    ("t5", "prompt_tuning", 1, {}),
    ("t5", "spt", 1, {}),
    ("gpt2", "spt", 3, {}),
    ("llama", "prompt_tuning", 2, {}),
    ("llama", "prefix_tuning", 1, {}),
    ("llama", "prefix_tuning", 6, {}),
    ("llama", "prefix_tuning", 2, {"perceptron": 5}),
    ("t5", "lora", 1, {"rank": 3, "alpha": 5.0}),
    ("t5", "lora", 3, {"stacks": ["encoder"], "components": ["attention.key", "ffn"]}),
    ("bert", "lora", 1, {}),
    ("gpt2", "lora", 1, {"rank": 2, "components": ["attention.query", "attention.output"]}),
    ("gpt2", "lora", 2, {"components": ["attention.value", "attention.query", "ffn"]}),
    ("llama", "lora", 1, {}),
    ("t5", "atoms", 2, {"threshold": 0.0}),
    ("gpt2", "atoms", 1, {"threshold": 0.0, "components": ["attention.query", "ffn.output"]}),
]


def refused(folder, base="my-t5"):
    with pytest.raises(BadInput) as error:
        folders.import_peft(folder, base, TASK)
    assert not [run for run in RunStore().all(include_demos=False) if "imported" in run.manifest()]
    return str(error.value)
