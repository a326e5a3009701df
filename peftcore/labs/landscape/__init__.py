"""Losses around and between adapters."""
