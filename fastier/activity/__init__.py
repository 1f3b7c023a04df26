"""What was done in a workspace and to an item, by whom and when."""
