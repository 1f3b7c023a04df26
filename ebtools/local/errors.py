"""What stops the local stack, said in one line to the person who started it."""


class LocalError(Exception):
    """Its message says what is wrong and what to do; it is printed without a traceback."""
