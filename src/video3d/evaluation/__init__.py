"""Judges results against what was measured: depth so far."""
