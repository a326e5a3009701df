"""Models: the base models of this machine, and how one comes in."""
