"""Paper protocols: what a form or a command begins with to ask a paper's question.

Each takes the paper's sizes where they are known here, on the base that fits best of those on this
machine; `note` says what differs. Nothing in a stored spec refers to a protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peftcore import tasks
from peftcore.errors import BadInput, unknown_name
from peftcore.models import catalog
from peftcore.runs.spec import RunSpec
from peftcore.training import planning, presets


@dataclass(frozen=True)
class Protocol:
    """A paper's question as runs: methods with their settings, on the first base and task here."""

    title: str
    source: str  # arXiv:…
    note: str
    bases: tuple[str, ...]
    tasks: tuple[str, ...]
    methods: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Any] = field(default_factory=dict)
    population: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def find_base(self) -> str:
        """Return the first of its bases on this machine; BadInput if none is."""
        here = set(catalog.base_names())
        for base in self.bases:
            if base in here:
                return base
        raise BadInput(f"{self.title} wants one of the bases {', '.join(self.bases)}")

    def find_task(self) -> str:
        """Return the first of its tasks whose data are here."""
        found = (name for name in self.tasks if tasks.find_task(name).available())
        return next(found, self.tasks[-1])

    def specs(self, base: str = "", task: str = "") -> dict[str, RunSpec]:
        """Build its runs by method, on another base or task if named."""
        base, task = base or self.find_base(), task or self.find_task()
        size = presets.find_preset(presets.USUAL, planning.parameters_of_base(base))
        sections: dict[str, Any] = {
            part: size.section(part) | self.section(part) for part in presets.SECTIONS
        }
        return {
            method: planning.build_spec(base, task, method, settings, **sections)
            for method, settings in self.methods.items()
        }

    def section(self, part: str) -> dict[str, Any]:
        """Return what it sets of a part of a spec, such as "training"."""
        return dict(getattr(self, part))


PROTOCOLS: Mapping[str, Protocol] = {
    "sparsefit": Protocol(
        "SparseFit: a label and its reason from 48 examples",
        "arXiv:2305.13235",
        "FEB's protocol: 60 episodes, 350 answers each. The paper trains T5-large; on the small "
        "bases here the sizes are the paper's and the figures are not.",
        ("t5-large", "tiny-t5", "smollm2-135m"),
        ("esnli", "miniworld_nli"),
        {
            "sparsefit": {"components": ("layernorm", "attention.query")},
            "lora": {},
            "full_fine_tuning": {},
        },
        {
            **{"shots": 48, "dev": 48, "batch": 4, "steps": 300, "evaluate_every": 300},
            **{"schedule": "constant", "warmup": 0.0},
        },
        {"seeds": 60},
        {"split": "validation", "limit": 350, "protocol": "feb"},
    ),
    "spt": Protocol(
        "Scaled prompt tuning: 50 soft tokens, each with a scale",
        "arXiv:2309.06759",
        "The paper trains T5-large on E2E, DART and WebNLG; steps and learning rates here are "
        "those of the usual size.",
        ("t5-large", "tiny-t5", "smollm2-135m"),
        ("e2e_nlg", "dart", "miniworld_venues"),
        {"prompt_tuning": {"length": 50}, "spt": {"length": 50}},
        {"shots": 100, "dev": 50},
    ),
    "subspaces": Protocol(
        "Prefix subspaces: six vertices, judged at random points",
        "arXiv:2310.15793",
        "The paper trains BERT-base on GLUE with 50, 100, 200 and 500 examples; this is its 100 "
        "on the encoder that is here. Without vertices the same prefix is the plain baseline.",
        ("bert-base-uncased", "minilm", "tiny-bert"),
        ("glue_qnli", "miniworld_nli"),
        {"prefix_tuning": {}},
        {"shots": 100, "dev": 50, "validation": "stochastic"},
        {"seeds": 5, "vertices": 6},
    ),
    "limits": Protocol(
        "What a prefix can and cannot do: a prefix beside LoRA",
        "arXiv:2310.19698",
        "The paper's own experiments are small transformers, which are on the Toys page; these "
        "two runs are what Attention and Limits measure on a language model.",
        ("smollm2-135m", "tiny-t5"),
        ("miniworld_nli",),
        {"prefix_tuning": {"length": 10}, "lora": {}},
    ),
    "atoms": Protocol(
        "Sparse atoms: a new digit from a few examples",
        "arXiv:2507.10855",
        "The paper tunes a diffusion model; here a small model draws digits pixel by pixel. "
        "How its atoms are computed is reconstructed.",
        ("tiny-digits",),
        ("pictures_digit",),
        {"atoms": {}, "lora": {}},
        {"shots": 10, "dev": 10, "steps": 100, "evaluate_every": 25},
    ),
}


def find_protocol(name: str) -> Protocol:
    """Return a protocol; BadInput names those there are."""
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
