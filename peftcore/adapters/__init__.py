"""Adapters on a frozen base: the contract, the adapted model, members and their mixing."""
