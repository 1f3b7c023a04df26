"""Who belongs to a workspace, and how one comes in and leaves."""
