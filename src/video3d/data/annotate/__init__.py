"""The page on which people annotate and check: every decision kept with who and when, agreement, and the rows that come of it."""
