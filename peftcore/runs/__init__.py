"""What decides a run, and where its results lie."""
