"""Models that draw images: their runs, measurements and queries."""
