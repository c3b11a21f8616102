"""The project's scenarios as Locust's own users: for its web interface, `bench serve CONTENDER --locust`.

To start it by hand, in a project:

    locust -f …/bench/load/child/locustfile.py --host http://127.0.0.1:8000 --class-picker

Each response is verified as in a run, but Locust's client sends the requests. Use it to look at a server, not
to compare. BENCH_PROJECT is the project's folder. BENCH_SCENARIOS names the scenarios, separated by commas
(all if unset).
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locust import FastHttpUser, task

from bench.load.answers import check
from bench.load.requests import Mix, Request, Saved
from bench.load.responses import Head
from bench.model import Scenario
from bench.project.contenders import find_project
from bench.project.scenarios import declared

_OURS = {"host", "content-length"}  # headers that Locust's client adds itself


class ScenarioUser(FastHttpUser):
    """One connection that sends the requests of a scenario, one after the other."""

    abstract = True
    mix: Mix
    numbers: "itertools.count[int]"

    def on_start(self) -> None:
        """Begin the sequence of requests that a connection of a run would begin."""
        self.saved: Saved = {}
        self.requests = self.mix.requests(0, next(self.numbers), self.saved)

    @task
    def ask(self) -> None:
        request = next(self.requests)
        method, path, headers, body = _parts(request)
        name = request.template.exchange.name
        with self.client.request(
            method, path, name=name, data=body, headers=headers, catch_response=True, allow_redirects=False
        ) as response:
            if response.status_code:  # otherwise Locust has the reason for the missing response
                mismatch = check(request, _head(response), response.content, self.saved)
                if mismatch:
                    response.failure(mismatch.text)
                else:
                    response.success()


def user_classes(scenarios: Iterable[Scenario]) -> dict[str, type[ScenarioUser]]:
    """Return a class of users for each of *scenarios*: "users-crud" becomes UsersCrud."""
    named = [(scenario.name.title().replace("-", "").replace("_", ""), scenario) for scenario in scenarios]
    return {
        name: type(name, (ScenarioUser,), {"mix": Mix(scenario, host=""), "numbers": itertools.count()})
        for name, scenario in named
    }


def _parts(request: Request) -> tuple[str, str, dict[str, str], str]:
    head, _, body = request.payload.decode().partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    method, path, _ = line.split(" ")
    headers = dict(field.split(": ", 1) for field in fields)
    return method, path, {key: value for key, value in headers.items() if key.lower() not in _OURS}, body


def _head(response: Any) -> Head:
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Head(status=response.status_code, fields=fields, keep_alive=True, chunked=False, length=None)


def _asked() -> list[Scenario]:
    known = declared(find_project(Path(os.environ.get("BENCH_PROJECT", Path.cwd()))))
    names = os.environ.get("BENCH_SCENARIOS")
    return list(known.values()) if names is None else [known[name] for name in names.split(",")]


if __name__ == "locustfile":  # Locust finds user classes among the module's names
    globals().update(user_classes(_asked()))
