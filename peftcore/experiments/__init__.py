"""Named sets of runs: the demo runs and the studies of assets/measured.md."""
