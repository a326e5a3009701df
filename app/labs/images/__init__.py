"""Images: small models that draw, and what adapters teach them."""
