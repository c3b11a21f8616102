"""The doctor's instruments, put together."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.doctor import Instruments, machine, supplies
from bench.doctor.ceilings import Peers
from bench.load.driver import LocustLoad
from bench.load.null.server import null_server
from bench.load.peers import stock_users, wrk, wrk_is_installed
from bench.observe.host import cores
from bench.observe.observer import ProcessObserver
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import available_cores, placed
from bench.runtime.services.postgresql import PostgreSQL, postgresql


def instruments(root: Path) -> Instruments:
    """Return what to examine this machine with, for the project at *root*; nothing is started by this."""
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
        database=partial(_database, root, placement.database),
        load=partial(LocustLoad, cores=client),
        observer=ProcessObserver(),
        null_server=partial(null_server, cores=(placement.server or ())[:1]),
        peers=peers,
    )


@contextmanager
def _database(root: Path, on: tuple[int, ...] | None) -> Iterator[PostgreSQL]:
    scratch, logs = root / ".bench", root / ".bench" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(scratch)
    try:
        with postgresql(ledger, log=logs / "postgresql.log", cores=on) as server:
            yield server
    finally:
        ledger.close()
