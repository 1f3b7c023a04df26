"""Workspaces: what a team shares, who may do what in it, and its revision."""
