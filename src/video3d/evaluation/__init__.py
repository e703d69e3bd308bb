"""Judges results against what is true: depth against measured depth, answers against known ones."""
