"""Recipes that train the model's parts."""
