"""Scaling: what the scales of soft tokens do."""
