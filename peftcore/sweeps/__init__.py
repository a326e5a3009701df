"""Sweeps: many runs at once, bases × tasks × methods × settings × seeds, in shards of seeds."""
