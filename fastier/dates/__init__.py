"""Dates: wall-clock times in zones, recurrence rules, and the day on which a recurring item is due next."""
