"""The Weights lab: what an adapter changed where, in its weights or beside the base's own."""
