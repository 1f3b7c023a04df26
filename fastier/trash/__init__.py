"""The trash: what was deleted can be restored for a while, and is then purged."""
