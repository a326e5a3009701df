"""Model families, a file for each way of building them; found by themselves."""
