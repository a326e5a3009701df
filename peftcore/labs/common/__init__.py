"""What several labs share: points between adapters, and what they are worth."""
