"""Lists: the folders of a workspace, in an order of their own."""
