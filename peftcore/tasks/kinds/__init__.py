"""Kinds of tasks, for what several have in common; tasks never import one another."""
