"""A frozen pretrained language model, and what methods need to know about it.

Only safetensors are read, and no code that comes with a model is run.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.activations import NewGELUActivation
from transformers.utils import logging

from peftcore.errors import BadInput
from peftcore.models import (
    attention,
    base_report,
    catalog,
    config_keys,
    consistency,
    decoding,
    mapped_weights,
    own_attention,
    plain_text,
)
from peftcore.models.architectures import ModelKind, find_architecture
from peftcore.models.base_report import BaseFinding, BaseReport
from peftcore.models.structure import ModelStructure, analyze

logging.disable_progress_bar()
# Whatever a folder that was put together by hand makes the library raise.
LOADING_ERRORS = (
    *(OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError),
    *(ArithmeticError, SafetensorError),
)
_LOADING = threading.Lock()
ATTENTION_AT_LOAD = "eager"  # every family has it; `freeze` puts ours in its place
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
    # Of the base's own generation settings, those that would change its answers and are not used.
    settings_set_aside: Mapping[str, Any] = field(default_factory=dict)

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
    def embedding_factor(self) -> float:
        """Factor by which the model's input layer multiplies the embeddings as they enter."""
        return float(getattr(self.model.get_input_embeddings(), "embed_scale", 1.0))

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

    Model and tokenizer are changed in place: attention, neutral generation settings, texts whose
    special words are plain text.

    known_fingerprint: of these weights if they were hashed before; they are not hashed again.
    """
    model.eval().requires_grad_(False)
    if find_architecture(model.config.model_type).own_attention:
        own_attention.reach(model)
    else:
        model.set_attn_implementation(attention.IMPLEMENTATION_NAME)
    _replace_modules(model, NewGELUActivation, FusedGELU)
    structure = analyze(model)
    for block in structure.attention_blocks:
        model.get_submodule(block.path).peftcore_site = block.path
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    plain_text.read_special_words_as_text(tokenizer)
    set_aside = decoding.set_neutral(model)
    hashed = known_fingerprint or fingerprint(model)
    return BaseModel(name, model, tokenizer, structure, hashed, is_sentence_encoder, set_aside)


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
    if find_architecture(model.config.model_type).own_attention:
        own_attention.restore(model)
    else:  # where scores are capped, the library itself has no fused form
        model.set_attn_implementation("sdpa" if model._supports_sdpa else "eager")
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
    if local and not (report := catalog.glance(name, Path(source))).usable:
        raise BadInput(report.reason)
    try:
        model = _load_weights(name, source, revision if not local else "")
        tokenizer = load_tokenizer(source, revision if not local else "")
        _refuse_errors(name, source, consistency.check_tokenizer(model, tokenizer))
    except LOADING_ERRORS as error:
        if isinstance(error, BadInput):
            raise
        known = ", ".join(catalog.base_names())
        raise BadInput(
            f"base {name!r} cannot be loaded: {first_line(error)} (here: {known})"
        ) from error
    is_sentence_encoder = Path(
        source, "modules.json"
    ).is_file()  # how sentence encoders are published
    hashed = mapped_weights.known_fingerprint(Path(source)) if local else ""
    base = freeze(name, model.to(device), tokenizer, is_sentence_encoder, hashed)
    if local and not hashed:
        mapped_weights.keep_fingerprint(Path(source), base.fingerprint)
    return base


def _load_weights(name: str, source: str, revision: str) -> Any:
    """Load a checked model, or map it if its weights were checked and kept by an earlier load."""

    def build() -> Any:
        """Load the model from its files; BadInput if they do not fit its configuration."""
        model, loading_info = load_model(source, revision)
        _refuse_errors(name, source, consistency.check_weights(model, loading_info))
        return model

    if not Path(source).is_dir():
        return build()
    return mapped_weights.load_mapped(Path(source), build, lambda: _empty_model(source))


def _empty_model(source: str) -> Any:
    """Make the model of a folder without its weights, with its generation settings."""
    config = read_config(source)
    architecture = find_architecture(config.model_type)
    extra = {"add_pooling_layer": False} if architecture.has_pooler else {}
    auto_class = AUTO_CLASSES[architecture.kind]
    model = auto_class.from_config(
        config, dtype=torch.float32, attn_implementation=ATTENTION_AT_LOAD, **extra
    )
    if model.can_generate() and Path(source, "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source, local_files_only=True)
    return model


def _refuse_errors(name: str, source: str, findings: Iterable[BaseFinding]) -> None:
    """Raise BadInput with the first error, and keep it so that lists leave the base out."""
    report = BaseReport(name, tuple(findings), complete=False)
    if report.usable:
        return
    if Path(source).is_dir():
        base_report.keep_report(Path(source), report)
    raise BadInput(report.reason)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or what kind of error it is."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _safe_options(source: str, revision: str) -> dict[str, Any]:
    """Return options for the library: no code of the model's, no network for a folder."""
    local = Path(source).is_dir()
    pinned = {"revision": revision} if revision else {}
    return {"trust_remote_code": False, "local_files_only": local, **pinned}


def read_config(source: str, revision: str = "") -> Any:
    """Read a model's configuration: the keys of its family, and none that names code or a place."""
    values, _ = PreTrainedConfig.get_config_dict(source, **_safe_options(source, revision))
    model_type = str(values.get("model_type", ""))
    find_architecture(model_type)  # BadInput for a family that is not known
    return CONFIG_MAPPING[model_type].from_dict(config_keys.allowed(values))


def load_model(
    source: str, revision: str = "", headers_only: bool = False
) -> tuple[Any, Mapping[str, Any]]:
    """Load a transformers model in single precision, and what the library says of its weights.

    headers_only: compare names and shapes without reading numbers; the model is on "meta".
    """
    safe = _safe_options(source, revision)
    config = read_config(source, revision)
    architecture = find_architecture(config.model_type)
    extra: dict[str, Any] = {}
    if architecture.has_pooler:
        extra["add_pooling_layer"] = False
    if headers_only:
        extra["device_map"] = "meta"
    # Sizes that do not match are named by `consistency`, and refused.
    # The library changes its own classes while it loads, so two loads at once leave heads untied.
    with _LOADING, _library_reports_left_out():
        model, loading_info = AUTO_CLASSES[architecture.kind].from_pretrained(
            source,
            config=config,
            attn_implementation=ATTENTION_AT_LOAD,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **safe,
            **extra,
        )
    return model, loading_info


@contextmanager
def _library_reports_left_out() -> Iterator[None]:
    """Leave out the library's tables of missing and surplus tensors, which we say in a sentence."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load_tokenizer(source: str, revision: str = "") -> Any:
    """Load the tokenizer of a base without running code that comes with it."""
    return AutoTokenizer.from_pretrained(source, **_safe_options(source, revision))
