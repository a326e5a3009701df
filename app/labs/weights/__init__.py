"""The Weights page below its navigation."""
