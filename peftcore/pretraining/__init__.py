"""How the small bases that ship were made."""
