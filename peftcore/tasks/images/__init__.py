"""Images as text: worlds of eight by eight pixels, their rendering, and their recognition."""
