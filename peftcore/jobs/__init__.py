"""Background jobs: one queue, its workers, what they are doing."""
