"""Statistics: arrays and tables in, frozen results out; nothing here reads a file or plots."""
