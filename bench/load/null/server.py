"""The null server answers what a scenario expects at very little CPU time. Its throughput is a ceiling."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from bench.errors import CannotMeasure
from bench.files import to_json
from bench.load.null.right_answers import answers
from bench.model.scenario import Exchange, Expect, Scenario

HELLO = Scenario(
    name="hello",
    exchanges=(
        Exchange(name="hello", method="GET", path="/", expect=Expect(json={"message": "Hello, World!"})),
    ),
    weights=(1,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NullServer:
    address: tuple[str, int]
    process: "subprocess.Popen[bytes]"

    def pids(self) -> tuple[int, ...]:
        return () if self.process.poll() is not None else (self.process.pid,)


@contextmanager
def null_server(
    scenario: Scenario, response_bytes: int = 0, *, cores: Sequence[int] = ()
) -> Iterator[NullServer]:
    """Run a process that answers *scenario*, pinned to *cores*. Raises CannotMeasure, UsageError.

    Bodies are padded with spaces until a response has *response_bytes* bytes on average, head included.
    """
    content = to_json(answers(scenario, response_bytes))
    command = [sys.executable, "-P", "-m", "bench.load.null", "--until-eof"]
    command += ["--answers-bytes", str(len(content))]  # on standard input: an argument has 128 kB at most
    command += ["--cores", ",".join(map(str, cores))] if cores else []
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            if process.stdin:
                with suppress(BrokenPipeError):  # it has ended, so it reports no port
                    process.stdin.write(content)
                    process.stdin.flush()
            port = process.stdout.readline() if process.stdout else b""
            if not port:
                process.wait()
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines() or ["its log is empty"]
                raise CannotMeasure(f"the null server did not start: {lines[-1]}")
            yield NullServer(address=("127.0.0.1", int(port)), process=process)
        finally:
            process.kill()
