"""What people say about an item."""
