"""Builders that read the data sets as their owners distribute them."""
