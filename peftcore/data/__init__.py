"""Examples, answers and where they come from: public data sets, tables of one's own."""
