"""How a base model comes in: from a package, a GGUF file, a folder or the hub, and its quality."""
