"""Accounts: users, their sign-ins and their personal tokens."""
