"""The laboratory: what an experiment needs from outside, and the one place where it is put together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.experiment import Lab
from bench.load.driver import LocustLoad
from bench.observe.observer import ProcessObserver
from bench.progress import Progress
from bench.runtime.placement import Placement, available_cores, placed
from bench.runtime.process import ProcessRuntime


def runtime_of(root: Path, logs: Path) -> ProcessRuntime:
    """Return the runtime of the project at *root*; it starts and stops things as a context manager."""
    return ProcessRuntime(project=root, placement=_placement(), scratch=root / ".bench", logs=logs)


@contextmanager
def opened(root: Path, logs: Path, progress: Progress) -> Iterator[Lab]:
    """Open the laboratory of the project at *root*; everything it started is stopped on exit.

    Raises CannotMeasure where the load generator does not start.
    """
    with runtime_of(root, logs) as runtime, LocustLoad(cores=_placement().client or ()) as load:
        yield Lab(
            runtime=runtime,
            load=load,
            observer=ProcessObserver(),
            progress=progress,
            memory=memory_of(root),
        )


def memory_of(root: Path) -> Path:
    """Return the folder in which passed verifications of the project at *root* are remembered."""
    return root / ".bench" / "verified"


def _placement() -> Placement:
    return placed(available_cores())
