"""Named experiments, those of assets/measured.md among them, and the demo runs."""
