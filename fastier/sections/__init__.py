"""Sections divide a list into the columns of a board."""
