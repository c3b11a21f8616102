"""The laboratory: what an experiment needs from outside, and the one place where it is put together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.instruments import Lab
from bench.load.driver import LocustLoad, Workers
from bench.load.null_server import null_server
from bench.observe.observer import ProcessObserver
from bench.progress import Progress
from bench.runtime import Runtime
from bench.runtime.external import ExternalRuntime
from bench.runtime.placement import Placement, available_cores, placed
from bench.runtime.process import ProcessRuntime


def runtime_of(root: Path, logs: Path) -> ProcessRuntime:
    """Return the runtime of the project at *root*; it starts and stops things as a context manager."""
    return _local(root, logs, _placement())


@contextmanager
def opened(root: Path, logs: Path, progress: Progress, *, workers: Workers, external: bool) -> Iterator[Lab]:
    """Open the laboratory of the project at *root*; everything it started is stopped on exit.

    *external*: contenders are servers that we do not start. Raises CannotMeasure where the load generator
    does not start, or its workers do not come.
    """
    placement = _placement(0 if workers.bind else workers.count)
    with ExitStack() as stack:
        runtime: Runtime = ExternalRuntime(placement=placement)
        if not external:
            runtime = stack.enter_context(_local(root, logs, placement))
        load = LocustLoad(cores=placement.client or (), workers=workers, say=progress.note)
        yield Lab(
            runtime=runtime,
            load=stack.enter_context(load),
            observer=ProcessObserver(),
            null_server=partial(null_server, cores=(placement.server or ())[:1]),
            progress=progress,
            memory=memory_of(root),
        )


def memory_of(root: Path) -> Path:
    """Return the folder in which passed verifications of the project at *root* are remembered."""
    return root / ".bench" / "verified"


def _local(root: Path, logs: Path, placement: Placement) -> ProcessRuntime:
    return ProcessRuntime(project=root, placement=placement, scratch=root / ".bench", logs=logs)


def _placement(askers: int = 1) -> Placement:
    return placed(available_cores(), askers=askers)
