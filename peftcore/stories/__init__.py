"""Stories that teach: their files, and the small recordings that their pictures are drawn from."""
