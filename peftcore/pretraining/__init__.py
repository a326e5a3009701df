"""Pretraining of the small bases that ship."""
