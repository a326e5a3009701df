"""Attention: what every head looks at, before and after an adapter."""
