"""Settings for all tests, and the load generators that several share."""

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bench.load.driver import LocustLoad

# No test fails for being slow: machines pause.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker of pytest-xdist a machine-wide lock of its own: it lies in the temporary folder."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        own = os.path.join(tempfile.gettempdir(), f"bench-{os.getppid()}-{worker}")
        os.makedirs(own, exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = own


@pytest.fixture(scope="module")
def load() -> Iterator[LocustLoad]:
    """Patient: a busy machine stops both of us for a while now and then."""
    with LocustLoad(timeout_s=5) as generator:
        yield generator


@pytest.fixture(scope="module")
def impatient() -> Iterator[LocustLoad]:
    """Gives up on an answer, or on the last ones after a window, within a third of a second."""
    with LocustLoad(timeout_s=0.2, drain_s=0.3) as generator:
        yield generator
