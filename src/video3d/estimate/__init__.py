"""Fills the gaps that a recording leaves: depth and camera."""
