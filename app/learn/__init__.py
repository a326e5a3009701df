"""Learn: stories of a few steps, each with a picture drawn from recorded data."""
