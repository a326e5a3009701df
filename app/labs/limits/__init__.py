"""Limits: what a prefix can and cannot do to an attention layer."""
