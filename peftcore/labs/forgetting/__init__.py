"""What earlier runs forgot, measured afterwards; a run that is trained now measures it itself."""
