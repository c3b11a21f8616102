"""Locust's own clients with the requests of our loop, to show what either can do.

`python -m bench.load.child.stock_users fast|http HOST PORT SCENARIO`, with the scenario as JSON.
Each line on standard input is a number of seconds. The answer is a line of JSON, `{"requests", "failures",
"elapsed_s", "cpu_s"}`, counted once all users have begun. They send what our loop would send, without a
pause, and verify nothing. It ends with standard input.
"""

import argparse
import itertools
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import gevent
from locust import FastHttpUser, HttpUser, User, task
from locust.env import Environment
from locust.runners import LocalRunner
from pydantic import TypeAdapter

from bench.load.answers import check
from bench.load.mix import Mix
from bench.load.requests import Request, Saved
from bench.load.responses import Head
from bench.model.scenario import Scenario

STOCK: Mapping[str, Any] = {"fast": FastHttpUser, "http": HttpUser}
LEAD_IN_S = 0.2
ADDED = {"host", "content-length"}


def asker(stock: type[User], scenario: Scenario, address: str) -> type[User]:
    """Return a class of users that send the requests of *scenario* to *address* ("host:port")."""
    mix = Mix(scenario, host=address)
    numbers = itertools.count()

    class StockUser(stock):  # type: ignore[valid-type, misc]  # a class that is chosen when it runs
        host = f"http://{address}"

        def on_start(self) -> None:
            self.saved: Saved = {}
            self.requests = mix.requests(0, next(numbers), self.saved)
            self.request: Request | None = None

        @task
        def ask(self) -> None:
            request = next(self.requests)
            if request is not self.request:  # the same object each time if nothing varies
                self.request, self.parts = request, parts(request)
            method, path, headers, body = self.parts
            exchange = request.template.exchange
            response = self.client.request(method, path, name=exchange.name, data=body, headers=headers)
            if exchange.save:
                keep(request, response, self.saved)

    return StockUser


def parts(request: Request) -> tuple[str, str, dict[str, str], str]:
    """Return method, path, headers and body of *request*, without the headers that clients add themselves."""
    head, _, body = request.payload.decode().partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    method, path, _ = line.split(" ")
    headers = dict(field.split(": ", 1) for field in fields)
    return method, path, {name: headers[name] for name in headers if name.lower() not in ADDED}, body


def keep(request: Request, response: Any, saved: Saved) -> None:
    """Add to *saved* what *request* saves from *response*."""
    check(request, head_of(response), response.content, saved)


def head_of(response: Any) -> Head:
    """Return the head of a response of either client."""
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Head(status=response.status_code, fields=fields, keep_alive=True, chunked=False, length=None)


def counts_of(runner: LocalRunner, users: int, seconds: float) -> dict[str, float]:
    """Let *users* send requests for *seconds*. Return the counts and the CPU time of this process."""
    runner.start(users, spawn_rate=users)
    gevent.joinall([runner.spawning_greenlet])
    gevent.sleep(LEAD_IN_S)
    total = runner.stats.total
    before = total.num_requests, total.num_failures, time.perf_counter(), time.process_time()
    gevent.sleep(seconds)
    after = total.num_requests, total.num_failures, time.perf_counter(), time.process_time()
    runner.stop()
    names = ("requests", "failures", "elapsed_s", "cpu_s")
    return {name: now - then for name, then, now in zip(names, before, after, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.load.child.stock_users", description=__doc__)
    parser.add_argument("kind", choices=STOCK)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("scenario")
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    options = parser.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    logging.getLogger("locust").setLevel(logging.ERROR)  # else it warns of the spawn rate each time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    scenario = TypeAdapter(Scenario).validate_json(options.scenario)
    users = asker(STOCK[options.kind], scenario, f"{options.host}:{options.port}")
    runner = Environment(user_classes=[users]).create_local_runner()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(counts_of(runner, options.users, float(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
