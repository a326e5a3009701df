"""Atoms: sparse atoms read, pruned, removed one by one and combined."""
