"""Sync: what has changed in a workspace since a client last asked."""
