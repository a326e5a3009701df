"""Soft prompts read: scales, gaps to words, ablations."""
