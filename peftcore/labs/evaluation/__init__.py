"""Finished runs asked other examples: another task, split, table, template or limit."""
