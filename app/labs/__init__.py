"""The labs, a folder each: selection (what the page is about), views, cache."""
