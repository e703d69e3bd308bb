"""Reads recordings: one file a format, frame sampling."""
