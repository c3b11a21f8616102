"""How slow or external parts are put together: for an experiment and for the doctor."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.doctor import Instruments, machine, supplies
from bench.doctor.ceilings import Peers
from bench.doctor.known.server_process import known_server
from bench.doctor.latency import KnownServers, needs_cores
from bench.files import working_folder
from bench.load import LoadGenerator
from bench.load.driver import LocustLoad, Workers
from bench.load.null.server import null_server
from bench.load.peers import stock_users, wrk, wrk_is_installed
from bench.observe import system
from bench.observe.cores import cores
from bench.observe.observer import ProcessObserver
from bench.run.lab import Lab
from bench.run.progress import Progress
from bench.runtime import Runtime, compose
from bench.runtime.compose import ComposeRuntime
from bench.runtime.docker import engine, images
from bench.runtime.docker.engine import Host, NoEngine, ThisMachine
from bench.runtime.external import ExternalRuntime
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import Placement, available_cores, placed
from bench.runtime.process import ProcessRuntime
from bench.runtime.services.own import KINDS
from bench.runtime.services.service import ProcessPlace

THIS_MACHINE = ThisMachine()
AUTO = "auto"  # compose if an engine answers, else process


def runtime_of(root: Path, logs: Path, name: str = ProcessRuntime.name) -> AbstractContextManager[Runtime]:
    """Return a runtime of the project at *root* by name. As a context manager it starts and stops things."""
    system.raise_open_files()  # servers have the limit that they have when they are measured
    return _local(root, logs, _placement(), name)


@contextmanager
def opened(root: Path, logs: Path, progress: Progress, *, workers: Workers, runtime: str) -> Iterator[Lab]:
    """Open the laboratory of the project at *root*; everything it started is stopped on exit.

    *runtime* is a name; with "external" contenders are servers that we do not start. Raises CannotMeasure if
    the container engine or the load generator does not start, or its workers do not come.
    """
    system.raise_open_files()
    placement = _placement(0 if workers.bind else workers.count)
    with ExitStack() as stack:
        where: Runtime = ExternalRuntime(placement=placement)
        if runtime != ExternalRuntime.name:
            where = stack.enter_context(_local(root, logs, placement, runtime))
        load = LocustLoad(cores=placement.client or (), workers=workers, say=progress.note)
        yield Lab(
            runtime=where,
            load=stack.enter_context(load),
            observer=ProcessObserver(),
            null_server=partial(null_server, cores=(placement.server or ())[:1]),
            progress=progress,
            memory=memory_of(root, runtime),
        )


def uncounted(runtime: str) -> str | None:
    """Return why instructions cannot be counted in a runtime of that name; None if they can."""
    return (ComposeRuntime if runtime == ComposeRuntime.name else ProcessRuntime).uncounted()


def memory_of(root: Path, runtime: str) -> Path:
    return root / ".bench" / "verified" / runtime


def chosen(requested: str, root: Path, host: Host = THIS_MACHINE) -> tuple[str, str]:
    if requested != AUTO:
        return requested, ""
    for needed in (compose.FILE, images.DOCKERFILE):
        if not (root / needed).is_file():
            return ProcessRuntime.name, f"the project has no {needed}"
    try:
        found = engine.found(host)
    except NoEngine as error:
        return ProcessRuntime.name, error.why
    return ComposeRuntime.name, f"Docker {found.version} answers"


def _local(root: Path, logs: Path, placement: Placement, name: str) -> AbstractContextManager[Runtime]:
    scratch = root / ".bench"
    if name == ComposeRuntime.name:
        found = engine.found(THIS_MACHINE)
        return ComposeRuntime(engine=found, project=root, placement=placement, scratch=scratch, logs=logs)
    return ProcessRuntime(project=root, placement=placement, scratch=scratch, logs=logs)


def _placement(askers: int = 1) -> Placement:
    return placed(available_cores(), askers=askers)


def instruments(root: Path) -> Instruments:
    usable = available_cores()
    placement = placed(usable)
    client = placement.client or ()
    peers: Peers = {
        "fast": partial(stock_users, "fast", cores=client),
        "http": partial(stock_users, "http", cores=client),
        **({"wrk": partial(wrk, cores=client)} if wrk_is_installed() else {}),
    }
    return Instruments(
        placement=placement,
        look=partial(machine.look, usable),
        take_stock=partial(supplies.take_stock, root / "results"),
        cores=cores,
        trials={
            kind.title: partial(_trial, kind.trial, root, placement.database)
            for kind in KINDS.values()
            if kind.trial
        },
        load=partial(LocustLoad, cores=client),
        observer=ProcessObserver(),
        null_server=partial(null_server, cores=(placement.server or ())[:1]),
        peers=peers,
    )


@contextmanager
def latency_test() -> Iterator[tuple[LoadGenerator, KnownServers]]:
    """Open what the self-test of latency needs. Raises CannotMeasure."""
    system.raise_open_files()
    placement = _placement()
    needs_cores(placement.server, placement.client)
    with LocustLoad(cores=placement.client or ()) as load:
        yield load, partial(known_server, cores=(placement.server or ())[:1])


@contextmanager
def _trial(
    start: Callable[[ProcessPlace], AbstractContextManager[object]], root: Path, on: tuple[int, ...] | None
) -> Iterator[None]:
    scratch = working_folder(root / ".bench")
    logs = scratch / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(scratch)
    try:
        with start(ProcessPlace(ledger=ledger, scratch=scratch, logs=logs, cores=on)):
            yield
    finally:
        ledger.close()
