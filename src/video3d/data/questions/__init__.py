"""From the truth of a clip to questions about it."""
