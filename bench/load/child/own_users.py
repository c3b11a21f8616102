"""The user classes of a locustfile, with two changes: their server is ours, and nobody waits."""

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import gevent
import locust
from locust import FastHttpUser, HttpUser, TaskSet, User, constant
from locust.env import Environment
from locust.event import Events

from bench.errors import CannotMeasure, UsageError
from bench.model.scenario import Locustfile
from bench.project.addresses import format_address

STOP_S = 2.0  # for `on_stop` of all users
_NUMBERS = count(1)


class Doors(Protocol):
    """Where users are held."""

    def arrived(self) -> None:
        """Hold a user that has started until all have."""

    def requesting(self, send: Callable[..., Any]) -> Any:
        """Call *send*, once requests are allowed."""


class OwnUsers:
    """The users of one locustfile, with Locust's environment around them."""

    def __init__(self, locustfile: Locustfile, doors: Doors) -> None:
        """Execute *locustfile*. Raises UsageError if that fails, or if it lacks the users."""
        self.path = locustfile.path
        # Listeners of the file register with these. Those of another file do not hear its events.
        make: Any = Events
        events = locust.events = make()
        found = _user_classes(locustfile)
        self.classes = [_held(one, doors) for one in found]
        self.client = " and ".join(dict.fromkeys(_client(one) for one in found))
        self.environment: Any = Environment(user_classes=self.classes, events=events)
        self.runner: Any = self.environment.create_local_runner()
        events.init.fire(environment=self.environment, runner=self.runner, web_ui=None)

    def aim(self, address: tuple[str, int]) -> None:
        host = f"http://{format_address(address)}"
        self.environment.host = host
        for one in self.classes:
            one.host = host

    def start(self, count: int) -> None:
        """Start *count* users, by the weights of their classes. Raises CannotMeasure."""
        self.runner.start(count, spawn_rate=count)
        gevent.joinall([self.runner.spawning_greenlet])
        if error := self.runner.spawning_greenlet.exception:
            raise CannotMeasure(f"{self.path}: Locust starts no users: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Stop all users, with what `on_stop` requests. Their connections are closed."""
        clients = [greenlet.args[0].client for greenlet in self.runner.user_greenlets if greenlet.args]
        with gevent.Timeout(STOP_S, False):
            self.runner.stop()
        # Not by their group, which kills nobody a second time.
        gevent.killall(list(self.runner.user_greenlets), timeout=STOP_S)
        self.runner.stop()  # nothing if it is through; else it forgets those that were killed
        for client in clients:
            getattr(client, "client", client).close()  # that of a FastHttpUser is around another one


def _user_classes(locustfile: Locustfile) -> list[type[User]]:
    path = locustfile.path
    module = _executed(locustfile.file, path)
    there = {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, User) and not one.abstract
    }
    if unknown := [name for name in locustfile.users if name not in there]:
        known = f"it has {', '.join(there)}" if there else "it has none"
        raise UsageError(f"{path}: no user class {', '.join(unknown)}: {known}: correct `users`")
    found = [one for name, one in there.items() if name in (locustfile.users or there)]
    if not found:
        raise UsageError(f"{path}: it has no class of HttpUser or FastHttpUser: name the file that has them")
    for one in found:
        if not issubclass(one, HttpUser | FastHttpUser):
            raise UsageError(f"{path}: {one.__name__} has no client for HTTP: leave it out of `users`")
        if not one.tasks:
            raise UsageError(f"{path}: {one.__name__} has no tasks: leave it out of `users`")
    return found


def _executed(file: Path, path: str) -> Any:
    """Execute *file* as Locust would: beside its neighbours, in its folder."""
    spec = importlib.util.spec_from_file_location(f"locustfile_{next(_NUMBERS)}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"{path}: it is not on the machine that sends requests: put {file} there")
    os.chdir(file.parent)
    sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path}: it needs the package of {error.name}, which bench lacks: install it beside bench "
            f"({sys.executable} -m pip install …, or uvx --with …)"
        ) from error
    except (Exception, SystemExit) as error:
        line = next((one.lineno for one in reversed(traceback.extract_tb(error.__traceback__))), None)
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"{path}: it fails when it is imported, line {line}: {what}: mend it") from error
    return module


def _held(own: type[User], doors: Doors) -> type[User]:
    """Return *own* as a class that waits at *doors* and never between its tasks."""

    class Held(own):  # type: ignore[valid-type, misc]  # a class that is chosen when it runs
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            request = self.client.request
            self.client.request = lambda *args, **named: doors.requesting(lambda: request(*args, **named))

        def on_start(self) -> None:
            super().on_start()
            doors.arrived()

    Held.__name__, Held.__qualname__ = own.__name__, own.__qualname__
    _never_waits(Held, set())
    return Held


def _never_waits(holder: Any, known: set[Any]) -> None:
    holder.wait_time = constant(0)
    known.add(holder)
    for task in holder.tasks:
        if isinstance(task, type) and issubclass(task, TaskSet) and task not in known:
            _never_waits(task, known)


def _client(own: type[User]) -> str:
    return "FastHttpUser" if issubclass(own, FastHttpUser) else "HttpUser"
