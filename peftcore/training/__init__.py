"""Training a run: build, train, checkpoint, evaluate, answer."""
