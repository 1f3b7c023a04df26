"""Tools of a laptop and of the pipeline: `python -m ebtools`; they stay out of the bundle."""
