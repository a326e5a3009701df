"""Sparse atoms: coefficients read, pruned, removed and combined."""
