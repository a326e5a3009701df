"""Scores of answers, per run and per item."""
