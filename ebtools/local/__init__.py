"""The whole system on one machine, for development and the tests: `python -m ebtools local`."""
