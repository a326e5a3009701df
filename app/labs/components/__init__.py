"""Components: which of a base's own weights are trained, and how they explain."""
