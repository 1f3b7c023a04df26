"""The rules, a module for each part of a bundle; `RULES` of each names its own."""
