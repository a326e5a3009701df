"""Engines that train the shards of a sweep: this machine's processes, or a Ray cluster."""
