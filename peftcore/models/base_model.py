"""A pretrained language model nobody changes, and what methods need to know about it.

Only safetensors are read and no code that comes with a model is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.activations import NewGELUActivation
from transformers.utils import logging

from peftcore.errors import BadInput
from peftcore.models import attention, catalog
from peftcore.models.architectures import Kind, family
from peftcore.models.structure import Anatomy, dissect

logging.disable_progress_bar()
LOADERS: dict[Kind, Any] = {
    "encoder": AutoModel,
    "decoder": AutoModelForCausalLM,
    "encoder-decoder": AutoModelForSeq2SeqLM,
}


class OneGELU(nn.GELU):
    """The library's NewGELUActivation in one operation instead of eight."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


@dataclass(frozen=True)
class BaseModel:
    """A frozen model in evaluation mode, its tokenizer and its anatomy."""

    name: str
    model: Any  # a PreTrainedModel, whose own annotations hide most of what it has
    tokenizer: PreTrainedTokenizerBase
    anatomy: Anatomy
    fingerprint: str  # of the weights; stored with every run
    sentences: bool = False  # trained so that the cosine of two texts tells how alike they are

    @property
    def kind(self) -> Kind:
        """Encoder, decoder or encoder-decoder."""
        return self.anatomy.family.kind

    @property
    def embeddings(self) -> Tensor:
        """The input embeddings (words, d)."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embeddings.device

    @property
    def parameters(self) -> int:
        """Numbers in the model; tied weights count once."""
        return sum(p.numel() for p in self.model.parameters())


def freeze(
    name: str, model: Any, tokenizer: PreTrainedTokenizerBase, sentences: bool = False
) -> BaseModel:
    """A base model made of a transformers model, which is put into evaluation mode for good."""
    model.eval().requires_grad_(False)
    model.set_attn_implementation(attention.NAME)
    _exchange(model, NewGELUActivation, OneGELU)
    anatomy = dissect(model)
    for site in anatomy.sites:
        model.get_submodule(site.path).peftcore_site = site.path
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return BaseModel(name, model, tokenizer, anatomy, fingerprint(model), sentences)


def _exchange(model: Any, old: type[nn.Module], new: Callable[[], nn.Module]) -> None:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, old):
                setattr(module, name, new())


def as_published(model: Any) -> Any:
    """The model with the library's own attention and activations again.

    `freeze` puts others in their place: attention that knows of prefixes, and PyTorch's form of an
    activation that the library spells out, which takes a quarter to a half of the time.
    """
    model.set_attn_implementation("sdpa")
    _exchange(model, OneGELU, NewGELUActivation)
    return model


def fingerprint(model: PreTrainedModel) -> str:
    """Hash of the names, shapes and values of all weights in single precision."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load(name: str, device: str = "cpu") -> BaseModel:
    """The base of this name on this device; BadInput says what is wrong and what there is."""
    where, _, revision = str(catalog.locate(name)).partition("@")
    local = Path(where).is_dir()
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision and not local:
        safe["revision"] = revision
    try:
        kin = family(AutoConfig.from_pretrained(where, **safe).model_type)
        extra = {"add_pooling_layer": False} if kin.kind == "encoder" else {}
        model = LOADERS[kin.kind].from_pretrained(
            where, use_safetensors=True, dtype=torch.float32, **safe, **extra
        )
        tokenizer = AutoTokenizer.from_pretrained(where, **safe)
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        known = ", ".join(catalog.names())
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"base {name!r} cannot be loaded: {first} (here: {known})") from error
    sentences = Path(where, "modules.json").is_file()  # how sentence encoders are published
    return freeze(name, model.to(device), tokenizer, sentences)
