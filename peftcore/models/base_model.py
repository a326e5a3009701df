"""A frozen pretrained language model, and what methods need to know about it.

Only safetensors are read, and no code that comes with a model is run.
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
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.activations import NewGELUActivation
from transformers.utils import logging

from peftcore.errors import BadInput
from peftcore.models import attention, catalog, mapped_weights
from peftcore.models.architectures import ModelKind, find_architecture
from peftcore.models.structure import ModelStructure, analyze

logging.disable_progress_bar()
AUTO_CLASSES: dict[ModelKind, Any] = {
    "encoder": AutoModel,
    "decoder": AutoModelForCausalLM,
    "encoder-decoder": AutoModelForSeq2SeqLM,
}


class FusedGELU(nn.GELU):
    """The library's NewGELUActivation as one operation instead of eight."""

    def __init__(self) -> None:
        """Build the tanh approximation."""
        super().__init__(approximate="tanh")


@dataclass(frozen=True)
class BaseModel:
    """A frozen model in evaluation mode, its tokenizer and its structure."""

    name: str
    model: Any  # a PreTrainedModel, whose own annotations hide most of what it has
    tokenizer: PreTrainedTokenizerBase
    structure: ModelStructure
    fingerprint: str  # of the weights; stored with every run
    # Trained so that the cosine of two texts measures their similarity.
    is_sentence_encoder: bool = False

    @property
    def kind(self) -> ModelKind:
        """One of encoder, decoder and encoder-decoder."""
        return self.structure.architecture.kind

    @property
    def embeddings(self) -> Tensor:
        """Input embeddings (words, d)."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.embeddings.device

    @property
    def parameter_count(self) -> int:
        """Numbers in the model; tied weights count once."""
        return sum(p.numel() for p in self.model.parameters())


def freeze(
    name: str,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    is_sentence_encoder: bool = False,
    known_fingerprint: str = "",
) -> BaseModel:
    """Make a base model of a transformers model, which stays in evaluation mode for good.

    known_fingerprint: of these weights if they were hashed before; they are not hashed again.
    """
    model.eval().requires_grad_(False)
    model.set_attn_implementation(attention.IMPLEMENTATION_NAME)
    _replace_modules(model, NewGELUActivation, FusedGELU)
    structure = analyze(model)
    for block in structure.attention_blocks:
        model.get_submodule(block.path).peftcore_site = block.path
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    hashed = known_fingerprint or fingerprint(model)
    return BaseModel(name, model, tokenizer, structure, hashed, is_sentence_encoder)


def _replace_modules(model: Any, old: type[nn.Module], new: Callable[[], nn.Module]) -> None:
    """Replace every submodule of class `old` by what `new` builds, in place."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, old):
                setattr(module, name, new())


def restore_library_modules(model: Any) -> Any:
    """Put the library's own attention and activations back, and return the model.

    `freeze` replaces them: by attention that knows of prefixes, and by PyTorch's form of an
    activation that the library spells out, which takes a quarter to a half of the time.
    """
    model.set_attn_implementation("sdpa")
    _replace_modules(model, FusedGELU, NewGELUActivation)
    return model


def fingerprint(model: PreTrainedModel) -> str:
    """Hash the names, shapes and values of all weights in float32."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load(name: str, device: str = "cpu") -> BaseModel:
    """Load the base of this name on this device; BadInput says what is wrong and what exists."""
    source, _, revision = str(catalog.locate_base(name)).partition("@")
    local = Path(source).is_dir()
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision and not local:
        safe["revision"] = revision
    try:
        config = AutoConfig.from_pretrained(source, **safe)
        architecture = find_architecture(config.model_type)
        extra = {"add_pooling_layer": False} if architecture.kind == "encoder" else {}
        auto_class = AUTO_CLASSES[architecture.kind]

        def build() -> Any:
            """Load the model from its files."""
            return auto_class.from_pretrained(
                source, use_safetensors=True, dtype=torch.float32, **safe, **extra
            )

        def empty() -> Any:
            """Make the model without its weights."""
            return _empty_model(auto_class, config, source, extra)

        model = mapped_weights.load_mapped(Path(source), build, empty) if local else build()
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        names = ", ".join(catalog.base_names())
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"base {name!r} cannot be loaded: {reason} (here: {names})") from error
    is_sentence_encoder = Path(
        source, "modules.json"
    ).is_file()  # how sentence encoders are published
    known = mapped_weights.known_fingerprint(Path(source)) if local else ""
    base = freeze(name, model.to(device), tokenizer, is_sentence_encoder, known)
    if local and not known:
        mapped_weights.keep_fingerprint(Path(source), base.fingerprint)
    return base


def _empty_model(auto_class: Any, config: Any, source: str, extra: dict[str, Any]) -> Any:
    """Make the model of a configuration, with the generation settings of its folder."""
    model = auto_class.from_config(config, dtype=torch.float32, **extra)
    if model.can_generate() and Path(source, "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source, local_files_only=True)
    return model
