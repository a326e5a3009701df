"""The machine: files, archives, database, processes, memory, threads, the terminal."""
