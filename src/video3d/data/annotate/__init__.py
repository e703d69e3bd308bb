"""The page on which people annotate and check."""
