"""Fastier: an API to organise things fast."""
