"""Many runs at once: bases x tasks x methods x settings x seeds, in shards of seeds."""
