"""Serve one contender and its database for requests by hand, with Locust's web interface if requested."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import load
from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.project.addresses import format_address
from bench.runtime import Runtime
from bench.runtime.launch import launched

LOOK_S = 0.2
HOST = "127.0.0.1"
START_S = 30.0
STOP_S = 5.0
LOCUSTFILE = Path(load.__file__).parent / "child" / "locustfile.py"


def serve(
    contender: Contender, runtime: Runtime, say: Callable[[str], None], *, locust_log: Path | None = None
) -> None:
    """Serve *contender* as it would be measured, until interrupted.

    Locust's web interface is open if *locust_log* is given. Raises CannotMeasure if something does not start
    or ends by itself, and KeyboardInterrupt if the user stops it.
    """
    runtime.prepare([contender])
    with runtime.serve([contender], hash_seed=0) as servers, ExitStack() as stack:
        server = servers[contender.name]
        url = f"http://{format_address(server.address)}"
        locust = stack.enter_context(_locust(contender, url, locust_log)) if locust_log else None
        say(f"{contender.name}: {url}/ (Ctrl-C stops it)")
        if locust:
            say(f"Locust: {locust.url}")
        while not (how := server.ended()):
            runtime.check()
            if locust:
                locust.check()
            time.sleep(LOOK_S)
        raise CannotMeasure(f"{contender.name} {how}; its last lines:\n{server.log_tail()}")


class _Locust:
    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self._process = process
        self._port = port
        self._log = log
        self.url = f"http://{HOST}:{port}/"

    def check(self) -> None:
        """Raise CannotMeasure if Locust has ended."""
        if self._process.poll() is not None:
            raise CannotMeasure(f"Locust ended with exit status {self._process.returncode}: see {self._log}")

    def wait_until_open(self) -> None:
        """Wait until the web interface can be reached. Raises CannotMeasure."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection((HOST, self._port), timeout=LOOK_S).close()
            except OSError:
                time.sleep(LOOK_S)
            else:
                return
        raise CannotMeasure(f"Locust did not open its web interface within {START_S:.0f} s: see {self._log}")


@contextmanager
def _locust(contender: Contender, url: str, log: Path) -> Iterator[_Locust]:
    """Open Locust's web interface on loopback, aimed at *url*, and remove all of it on exit."""
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--host", url, "--web-host", HOST, "--web-port", str(port), "--class-picker"]
    command = [sys.executable, "-P", "-m", "locust", "-f", str(LOCUSTFILE), *options]
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    env["BENCH_PROJECT"] = contender.root
    if contender.scenarios:
        env["BENCH_SCENARIOS"] = ",".join(contender.scenarios)
    with log.open("wb") as output:
        process = subprocess.Popen(
            launched(command, cores=None, user=None, death_signal=signal.SIGKILL),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # this process handles Ctrl-C
        )
    try:
        locust = _Locust(process, port, log)
        locust.wait_until_open()
        yield locust
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
