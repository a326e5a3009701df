"""Examples, answers, tasks, and the sources of their rows: public data sets and own tables."""
