"""What BENCHMARKS.md rests on: quicker ways timed against plain ones."""
