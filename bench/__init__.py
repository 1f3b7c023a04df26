"""Measures Fastier beside the same work done otherwise: `make bench`."""
