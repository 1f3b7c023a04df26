"""What the tests of the rehearsal share."""

import pytest

from ebtools.rehearse import region


@pytest.fixture(scope="session")
def whole_machine() -> None:
    """Namespaces, memory limits and all programs; a container may refuse the first two, and then nothing is shown."""
    if faults := region.missing():
        pytest.skip("; ".join(faults))
