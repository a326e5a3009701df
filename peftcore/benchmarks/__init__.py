"""The benchmarks behind BENCHMARKS.md: faster variants timed against plain ones."""
