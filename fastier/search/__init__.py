"""Search and filters: which items a person means, said in words."""
