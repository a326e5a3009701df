"""Attention captured, and single layers probed."""
