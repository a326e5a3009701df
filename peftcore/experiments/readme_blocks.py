"""The blocks of the READMEs that are written from what ships, and where each stands.

`python -m peftcore ship readme-tables` writes them, and the table of the papers for Home.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from peftcore import paths
from peftcore.experiments import papers, published, studies, toy_tables
from peftcore.system.markdown_blocks import replace_block

README = paths.ROOT / "README.md"
TOYS_README = paths.ASSETS / "toys" / "README.md"
SWEEPS_README = paths.ROOT / "peftcore" / "sweeps" / "README.md"

BLOCKS: dict[str, tuple[Path, Callable[[], str]]] = {
    "papers": (README, papers.papers_block),
    "demo-runs": (README, published.demo_block),
    "spelling-runs": (README, lambda: published.demo_block("miniworld_nli")),
    "ladder": (README, published.ladder_block),
    "toys": (TOYS_README, toy_tables.toys_block),
    "sweep-runs": (SWEEPS_README, published.sweep_block),
    "study-verdicts": (README, lambda: published.study_block(studies.read(published.MEASURED))),
}


def readme_texts() -> dict[Path, str]:
    """Return every README with its blocks as the runs say them now."""
    texts: dict[Path, str] = {}
    for name, (path, make) in BLOCKS.items():
        texts[path] = replace_block(texts.get(path, path.read_text("utf-8")), name, make())
    return texts
