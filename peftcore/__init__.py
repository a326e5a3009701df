"""Adapters on a frozen language model: train them, measure them, look inside."""
