"""The Python interface, which notebooks and commands call; `import peftcore` offers it by name."""
