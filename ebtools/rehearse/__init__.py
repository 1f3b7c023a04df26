"""Deploys, scales and breaks the real package on one machine, and says what users would have seen."""
