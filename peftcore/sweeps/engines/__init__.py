"""Where the shards of a sweep are trained: this machine, or a Ray cluster."""
