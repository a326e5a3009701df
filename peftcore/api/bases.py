"""Frozen base models: by name, from a folder, or made of a model that is in memory already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore.errors import BadInput
from peftcore.jobs.worker import resolve_device
from peftcore.models import catalog

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


def list_bases() -> pd.DataFrame:
    """List the base models on this machine: kind, family, parameters, width, layers, window, note.

    Folders that cannot be used are left out; `peftcore list` names them with the reason.

    >>> import peftcore
    >>> peftcore.list_bases().loc["tiny-t5", "kind"]
    'encoder-decoder'
    """
    infos = [catalog.describe_base(name) for name in catalog.base_names()]
    return pd.DataFrame([vars(info) for info in infos]).set_index("name")


def load_base(
    model: Any, tokenizer: Any = None, *, name: str = "", device: str = "auto"
) -> BaseModel:
    """Load a base model, and freeze it.

    `model` is a name as in `list_bases`, a folder, a hub name ("owner/name"), or a model of the
    transformers package that is in memory already; only the last needs its `tokenizer`, and may
    get a `name`, to which a hash of the weights is added.  A model in memory is changed in place:
    single precision, evaluation mode, and an attention that knows of prefixes.  `device` is auto,
    cpu or cuda; a model in memory stays where it is unless a device is named.  BadInput if there
    is no such base, or if its architecture is not known.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> base.kind, base.parameter_count
    ('encoder-decoder', 4157376)

    A model in memory, here one with random weights:

    >>> import transformers
    >>> from peftcore.models import catalog
    >>> folder = catalog.locate_base("tiny-gpt")
    >>> config = transformers.AutoConfig.from_pretrained(folder)
    >>> model = transformers.AutoModelForCausalLM.from_config(config)
    >>> tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    >>> peftcore.load_base(model, tokenizer, name="random").name.startswith("random-")
    True
    """
    from peftcore.models import base_model

    if hasattr(model, "state_dict"):
        if tokenizer is None:
            raise BadInput("a model in memory needs its tokenizer as well")
        placed = model.float() if device == "auto" else model.float().to(resolve_device(device))
        title = name or str(model.config.model_type)
        return base_model.freeze(f"{title}-{base_model.fingerprint(placed)}", placed, tokenizer)
    if name or tokenizer is not None:
        raise BadInput("name and tokenizer are for a model in memory; a stored base has its own")
    return base_model.load(str(model), resolve_device(device))
