"""A process that sends requests as one of several: Locust's worker around our loop.

`python -m bench.load.child.worker --master HOST:PORT [--cores 0,1]` is what `bench load-worker`
becomes. It ends with the master, or when its master dismisses it.
Messages, in Locust's own between master and worker:

    {"is": "hello", "versions", "host", "pid"}
        → {"do": "welcome", "who"} or {"do": "refuse", "why"}
    {"do": "prepare", "targets", "scenarios"}
        → {"is": "ready"}
    {"do": "forget", "target"}
        → {"is": "ready"}
    {"do": "arm", "step", "share": [index, of], "timeout_s", "drain_s"}
        → {"is": "armed"}, and when {"do": "go"} has come and the slice is done {"is": "sample", "sample"}
"""

import argparse
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gevent
import zmq
from gevent.queue import Empty, Queue
from locust.env import Environment

from bench.errors import BenchError, CannotMeasure, UsageError
from bench.load.arrivals import Share
from bench.load.child.fleet import CHANNEL
from bench.load.child.generator import (
    ConnectionUser,
    Generator,
    Message,
    settle,
    telling,
    understood,
    window_of,
)
from bench.load.child.generator_versions import versions
from bench.project.addresses import address_of, format_address

PATIENCE_S = 60.0  # for a master that has not started yet
GREETING_S = 10.0
INTERRUPTED = 130
LAST_WORDS_S = 0.2  # to send the last messages


class Worker:
    """One worker of the fleet of the master at *master*."""

    def __init__(self, master: tuple[str, int], *, within_s: float) -> None:
        self._master = master
        self._within_s = within_s
        self._messages: Queue[Message] = Queue()
        self._environment: Any = Environment(user_classes=[ConnectionUser])

    def join(self) -> str:
        """Connect and wait for the welcome. Return the name that the master gives us. Raises BenchError."""
        where = format_address(self._master)
        try:
            with gevent.Timeout(self._within_s, CannotMeasure("no greeting in time")):
                self._runner: Any = self._environment.create_worker_runner(*self._master)
        except CannotMeasure as error:
            raise CannotMeasure(
                f"no master answers at {where} (waited {self._within_s:.0f} s): start `bench run --load-bind "
                f"{where} --load-expect N` there, or correct --master"
            ) from error
        gevent.spawn(self._end_with_the_master)
        gevent.spawn(self._end_when_sent_home)
        self._runner.register_message(CHANNEL, lambda environment, msg: self._messages.put(msg.data))
        self._say({"is": "hello", "versions": versions(), "host": socket.gethostname(), "pid": os.getpid()})
        try:
            greeting = self._messages.get(timeout=GREETING_S)
        except Empty as error:
            raise CannotMeasure(f"{where} is Locust's, but not of a bench run: correct --master") from error
        if greeting["do"] == "refuse":
            raise UsageError(f"{where} refuses this load worker: {greeting['why']}")
        return str(greeting["who"])

    def work(self) -> None:
        generator = Generator(self._runner)
        while True:
            for reply in telling(self._replies(generator, understood(self._messages.get()))):
                self._say(reply)
            gc.collect()

    def leave(self, status: int) -> None:
        self._environment.events.quitting.fire(environment=self._environment, reverse=True)
        gevent.sleep(LAST_WORDS_S)
        os._exit(status)

    def _replies(self, generator: Generator, order: Message) -> Iterator[Message]:
        if order["do"] == "prepare":
            generator.prepare(order["targets"], order["scenarios"])
            yield {"is": "ready"}
        elif order["do"] == "forget":
            generator.forget(order["target"])
            yield {"is": "ready"}
        elif order["do"] == "arm":
            step = order["step"]
            with generator.armed(step, Share(*order["share"]), timeout_s=order["timeout_s"]) as loop:
                yield {"is": "armed"}
                self._messages.get()  # "go": no other message is possible
                loop.run(*window_of(step), drain_s=order["drain_s"])
                sample = loop.books.sample(step.window_s, self._runner.stats)
                self._runner._send_stats()  # at once: Locust itself would wait up to 3 s
                yield {"is": "sample", "sample": asdict(sample)}

    def _say(self, message: Message) -> None:
        self._runner.send_message(CHANNEL, message)

    def _end_with_the_master(self) -> None:
        """Exit as soon as the connection ends. Heartbeats alone would notice after a minute."""
        self._runner.client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED).recv_multipart()
        os._exit(0)

    def _end_when_sent_home(self) -> None:
        self._runner.greenlet.join()  # they end at Locust's message "quit"
        os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench load-worker", description=__doc__)
    parser.add_argument("--master", required=True)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    parser.add_argument("--within", type=float, default=PATIENCE_S, help="seconds to wait for the master")
    options = parser.parse_args()
    try:
        _settle(options.cores)
        worker = Worker(_reachable(options.master), within_s=options.within)
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, worker.leave, INTERRUPTED)
        who = worker.join()
        sys.stderr.write(f"{who} of {options.master}: it ends with the run; Ctrl-C takes it out\n")
        worker.work()
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.stderr.flush()
        os._exit(error.exit_code)  # Locust's greenlets would delay sys.exit


def _settle(cores: str) -> None:
    try:
        settle([int(core) for core in cores.split(",") if core])
    except (ValueError, OSError) as error:
        raise UsageError(f"--cores {cores}: name cores that there are, as in 0,2") from error


def _reachable(master: str) -> tuple[str, int]:
    host, port = address_of(master, option="--master")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise UsageError(f"--master {master}: {error}: name a host that this machine can reach") from error
    return host, port


if __name__ == "__main__":
    main()
