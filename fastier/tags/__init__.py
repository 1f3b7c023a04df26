"""Tags: names that a workspace's items carry."""
