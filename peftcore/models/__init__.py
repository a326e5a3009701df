"""Frozen base models: catalogue, architectures, structure, attention, batches."""
