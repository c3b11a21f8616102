"""Commands of a project that run before its server: `build` for its files, `prepare` for its data."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.errors import CannotMeasure
from bench.runtime.children import Children, tail_of, telling_line

SHELL = "/bin/sh"
TIMEOUT_S = 900.0  # a front end that is built with all its packages
LOOK_S = 0.02
SHOWN = 20  # lines of a log
NOT_FOUND = 127  # exit status of a shell


def carry_out(
    key: str,
    commands: Sequence[str],
    children: Children,
    *,
    whose: str,
    folder: Path,
    env: Mapping[str, str],
    log: Path,
    remedy: Callable[[str], str] = lambda line: "",
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Run *commands* one after another, each by a shell in *folder*, with a log beside *log*.

    Raises CannotMeasure that names the command, the telling line and its *remedy*, if one fails or takes
    too long.
    """
    for number, command in enumerate(commands, 1):
        own = log.with_suffix(f".{number}{log.suffix}") if len(commands) > 1 else log
        child = children.start([SHELL, "-c", command], folder=folder, log=own, env=env, cores=None)
        deadline = time.monotonic() + timeout_s
        while child.process.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        status = child.process.poll()
        if status == 0:
            continue
        if status is None:
            why = f"did not end within {timeout_s:.0f} s"
        elif status == NOT_FOUND:
            why = "is not there: is its package installed?"
        else:
            why = f"ended with exit status {status}" if status > 0 else f"was killed by signal {-status}"
        last = tail_of(own, SHOWN)
        line = telling_line(last)
        raise CannotMeasure(f"{whose}: {key}: `{command}` {why} ({line}{remedy(line)}): see {own}", log=last)
