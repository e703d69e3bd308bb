"""The embedded simulator: rooms, streets and physics with exact truth."""
