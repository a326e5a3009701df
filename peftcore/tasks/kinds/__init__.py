"""What tasks of one kind have in common; tasks import from here, never from each other."""
