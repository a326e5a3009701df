"""Migrations of the rating tables, one step each, so that old databases can follow."""
