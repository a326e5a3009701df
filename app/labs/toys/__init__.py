"""Toys: tiny transformers that sort and count."""
