"""Data, Train, Runs and Playground: from a form to a run, and what can be done with it."""
