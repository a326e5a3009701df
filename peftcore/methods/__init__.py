"""Methods, one file each; `adapters.base` says what such a file must define."""
