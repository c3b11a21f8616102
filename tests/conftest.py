"""Settings for all tests, and the load generators that several share."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bench.load.driver import LocustLoad

# No test fails for being slow: machines pause.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Slow files, those that take longest first: what a worker of pytest-xdist begins last is then short.
LONGEST = (
    "test_end_to_end.py",
    "test_containers.py",
    "test_simulation.py",
    "test_switches.py",
    "test_thorough.py",
    "test_bisect.py",
    "test_change_points_simulation.py",
    "test_report_browser.py",
    "test_count.py",
    "test_site_browser.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (*LONGEST, item.path.name).index(item.path.name))


def pytest_configure(config: pytest.Config) -> None:
    """Let children be interrupted. Give each worker of pytest-xdist a machine-wide lock of its own.

    A shell's background jobs and nohup ignore SIGINT, and so would all that is started here. The lock lies in
    the temporary folder.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        own = temporary() / f"bench-{os.getppid()}-{worker}"
        own.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(own)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folders of the workers, those that have crashed too. Only what started them does."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for own in temporary().glob(f"bench-{os.getpid()}-gw*"):
            shutil.rmtree(own, ignore_errors=True)


def temporary() -> Path:
    return Path(tempfile.gettempdir())


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
