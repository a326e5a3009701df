"""Grids of trained components, and how well explanations read."""
