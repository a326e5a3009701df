"""How the tables of ratings came to be, step by step, so that old databases can follow."""
