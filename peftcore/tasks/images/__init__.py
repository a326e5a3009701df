"""Pictures as text: worlds of eight by eight pixels, models that draw them, readers that check."""
