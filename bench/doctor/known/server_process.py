"""Runs a server of known arithmetic in a process of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import TypeAdapter

from bench.doctor.known.served import Served
from bench.errors import CannotMeasure

_END_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServerProcess:
    address: tuple[str, int]
    process: "subprocess.Popen[bytes]"

    def served(self) -> list[Served]:
        """End the server. Return what it noted of each request, as they came. Raises CannotMeasure."""
        try:
            found, _ = self.process.communicate(timeout=_END_S)
            return TypeAdapter(list[Served]).validate_json(found)
        except (subprocess.TimeoutExpired, ValueError) as error:
            raise CannotMeasure("a server of the self-test has ended: run it again") from error


@contextmanager
def known_server(kind: str, seed: int, *, cores: Sequence[int] = ()) -> Iterator[KnownServerProcess]:
    """Serve as `KINDS[kind]` does, pinned to *cores*. Raises CannotMeasure."""
    command = [sys.executable, "-P", "-m", "bench.doctor.known", kind, str(seed)]
    command += ["--cores", ",".join(map(str, cores))] if cores else []
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log) as process,
    ):
        try:
            port = process.stdout.readline() if process.stdout else b""
            if not port:
                process.wait()
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines() or ["its log is empty"]
                raise CannotMeasure(f"a server of the self-test did not start: {lines[-1]}")
            yield KnownServerProcess(address=("127.0.0.1", int(port)), process=process)
        finally:
            process.kill()
