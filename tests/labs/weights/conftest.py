"""Trained runs, LoRA among them."""

from support.atom_runs import runs, workspace  # noqa: F401
