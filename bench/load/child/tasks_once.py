"""Runs the tasks of a locustfile's users once, to show what they request and whether Locust finds it right.

`python -m bench.load.child.tasks_once FD HOST PORT SCENARIO`, with the scenario as JSON. FD receives
JSON: `{"rounds": [{"users", "requests": [{"line", "status", "wrong", "answer"}], "error"}, …]}`, or
`{"error"}` if the file cannot be used. The first round is followed by more if something in it is wrong.
"""

import argparse
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import gevent
from locust import TaskSet
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser
from locust.user.task import DefaultTaskSet
from pydantic import TypeAdapter

from bench.errors import BenchError, UsageError
from bench.files import printable
from bench.load.child.one_server import only
from bench.load.child.own_users import OwnUsers
from bench.load.child.user_load import failure
from bench.load.users_once import AGAIN, ANSWER_SHOWN, LIMIT_S
from bench.model.scenario import Scenario

_TURNS = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)  # a task is over


class OpenDoors:
    """Doors that hold nobody."""

    def arrived(self) -> None:
        return

    def requesting(self, send: Callable[[], Any]) -> Any:
        return send()


class TasksOnce:
    """The users of a locustfile, each of whose tasks is run once."""

    def __init__(self, users: OwnUsers) -> None:
        self._users = users
        self._requests: list[dict[str, Any]] = []
        users.environment.events.request.add_listener(self._answered)

    def round(self) -> dict[str, Any]:
        self._requests, error = [], ""
        try:
            with gevent.Timeout(LIMIT_S, UsageError(f"its tasks had not ended in {LIMIT_S:g} s")):
                for one in self._users.classes:
                    self._user(one(self._users.environment))
        except UsageError as late:
            error = str(late)
        except Exception as failed:  # noqa: BLE001 - the code of others may raise anything
            error = f"{type(failed).__name__}: {failed}"
        names = [one.__name__ for one in self._users.classes]
        return {"users": names, "requests": self._requests, "error": printable(error, ANSWER_SHOWN)}

    def _user(self, user: Any) -> None:
        user._state, user._taskset_instance = "running", DefaultTaskSet(user)  # for its own wait()
        try:
            self._tasks(user)
        except StopUser:
            user.on_stop()

    def _tasks(self, holder: Any) -> None:
        holder.on_start()
        for task in dict.fromkeys(holder.tasks):
            try:
                if isinstance(task, type) and issubclass(task, TaskSet):
                    self._tasks(task(holder))
                else:
                    task(holder)
            except _TURNS:
                continue
        holder.on_stop()

    def _answered(
        self, request_type: str, name: str, exception: Any = None, response: Any = None, **_: Any
    ) -> None:
        status = getattr(response, "status_code", None) or None
        wrong = failure(exception, status or 0)[1] if exception else ""
        text = getattr(response, "text", "") if wrong and status else ""
        self._requests.append(
            {
                "line": printable(f"{request_type} {name}"),
                "status": status,
                "wrong": printable(wrong, ANSWER_SHOWN),
                "answer": printable(str(text or ""), ANSWER_SHOWN),
            }
        )


def rounds(scenario: Scenario, address: tuple[str, int]) -> list[dict[str, Any]]:
    """Return the first round, and more if it shows something wrong. Raises UsageError."""
    if scenario.locustfile is None:
        raise ValueError(f"{scenario.name} has no locustfile")
    users = OwnUsers(scenario.locustfile, OpenDoors())
    users.aim(address)
    once = TasksOnce(users)
    with only(address):
        found = [once.round()]
        if found[0]["error"] or any(one["wrong"] for one in found[0]["requests"]):
            found += [once.round() for _ in range(AGAIN)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.load.child.tasks_once", description=__doc__)
    parser.add_argument("fd", type=int)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("scenario")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    try:
        scenario = TypeAdapter(Scenario).validate_json(options.scenario)
        result: dict[str, Any] = {"rounds": rounds(scenario, (options.host, options.port))}
    except BenchError as error:
        result = {"error": str(error)}
    with os.fdopen(options.fd, "wb") as file:
        file.write(json.dumps(result).encode())
    os._exit(0)  # whatever the file has started ends here


if __name__ == "__main__":
    main()
