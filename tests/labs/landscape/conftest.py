"""Trained runs for tests that measure around them."""

from support.landscape_runs import runs, workspace  # noqa: F401
