"""A base for sweeps."""

from support.sweeps import mine  # noqa: F401
