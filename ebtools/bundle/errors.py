"""What can stop a bundle from being made."""


class BundleError(Exception):
    """Why there is no bundle; the message is for the person who asked for one, a fault a line."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
