"""The project's scenarios as Locust's own users: for its web interface, `bench serve CONTENDER --locust`.

To start it by hand, in a project:

    locust -f …/bench/load/child/locustfile.py --host http://127.0.0.1:8000 --class-picker

Each response is verified as in a run, but Locust's client sends the requests. Use it to look at a server, not
to compare. BENCH_PROJECT is the project's folder. BENCH_SCENARIOS names the scenarios, separated by commas
(all if unset); those of a locustfile are left out.
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from locust import FastHttpUser, task

from bench.load.answers import check
from bench.load.child.stock_users import head_of, parts
from bench.load.mix import Mix
from bench.load.requests import Saved
from bench.model.scenario import Scenario
from bench.project.contenders import find_project
from bench.project.scenarios import declared


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
        method, path, headers, body = parts(request)
        name = request.template.exchange.name
        with self.client.request(
            method, path, name=name, data=body, headers=headers, catch_response=True, allow_redirects=False
        ) as response:
            if response.status_code:  # otherwise Locust has the reason for the missing response
                mismatch = check(request, head_of(response), response.content, self.saved)
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


def _scenarios() -> list[Scenario]:
    known = declared(find_project(Path(os.environ.get("BENCH_PROJECT", Path.cwd()))))
    names = os.environ.get("BENCH_SCENARIOS")
    chosen = known.values() if names is None else [known[name] for name in names.split(",")]
    return [one for one in chosen if one.locustfile is None]  # those run by themselves: `locust -f FILE`


if __name__ == "locustfile":  # Locust finds user classes among the module's names
    globals().update(user_classes(_scenarios()))
