"""Trained runs of atoms."""

from support.atom_runs import runs, workspace  # noqa: F401
