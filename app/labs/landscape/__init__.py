"""Landscape: losses around and between adapters."""
