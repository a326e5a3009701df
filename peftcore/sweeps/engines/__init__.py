"""Engines that train the shards of a sweep: processes here, a Ray cluster, or Slurm."""
