"""What the lab pages measure, a folder for each; labs/common is shared."""
