"""Compare: methods side by side, with verdicts over seeds and items."""
