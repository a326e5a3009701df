"""Methods, one file each, found by file: see `base` for what a file must say."""
