"""Models that draw: trained, measured, asked."""
