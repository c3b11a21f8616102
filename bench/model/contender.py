"""What is compared: a contender, its name, and what its server needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

SAME_AGAIN = "~aa"  # ends the name of the same contender once more, which shows what noise does


@dataclass(frozen=True, slots=True)
class Name:
    """A contender's name in parts: base[:switch=value,…][@revision][~aa]."""

    base: str
    switches: tuple[str, ...] = ()  # each as written: workers=4
    revision: str = ""
    is_twin: bool = False  # the same contender once more, to show what noise does

    def __str__(self) -> str:
        return f"{self.unrevised}{f'@{self.revision}' if self.revision else ''}{SAME_AGAIN * self.is_twin}"

    @property
    def unrevised(self) -> str:
        """The name without its revision: `flask:workers=4` of `flask:workers=4@a1b2c3d4~aa`."""
        return f"{self.base}{':' if self.switches else ''}{','.join(self.switches)}"

    @property
    def original(self) -> str:
        return str(replace(self, is_twin=False))

    @property
    def twin(self) -> str:
        return str(replace(self, is_twin=True))


@cache
def name_of(text: str) -> Name:
    """Return the parts of a contender's name. Whether it is valid: `contenders.resolve`."""
    original = text.removesuffix(SAME_AGAIN)
    unrevised, _, revision = original.partition("@")
    base, _, switches = unrevised.partition(":")
    return Name(base, tuple(filter(None, switches.split(","))), revision, original != text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """How a server shows that it is up: the request of the probe, and the required answer."""

    path: str = "/health"
    host: str | None = None  # its Host header; None: 127.0.0.1:PORT
    headers: Mapping[str, str] = field(default_factory=dict)
    status: tuple[int, ...] = (200,)
    # None: 30 s, and an answer that waiting does not change ends the start sooner.
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOrigin:
    """Which PostgreSQL holds a contender's databases. Nothing set: the one of a wheel, or of our image."""

    bin: str | None = None  # the folder of its programs on this machine, or "PATH"
    url: str | None = None  # it runs already
    remote: bool = False  # it may run on another machine
    image: str | None = None  # for containers


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One fully specified system under test: source tree, variant, server, workers, environment."""

    name: str  # base[:switch=value,…][@revision][~aa]
    base: str
    app: str  # what contenders of one folder share: "flask_app" of apps/flask_app
    root: str  # the checkout that holds that folder; "" in run.json
    folder: str | None = None  # the working directory of its server, below the root; None: apps/<app>
    stack: str  # its name in a headline: "Flask on gunicorn gthread"
    interface: str
    server: str
    command: str  # {host} {port} {workers} {threads} are filled in when it is served
    workers: int = 1
    threads: int = 1
    python: str | None = None
    lock: str | None = None  # the file of its packages, in place of requirements.txt or `install`
    env: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    postgres: PostgresOrigin = field(default_factory=PostgresOrigin)
    sql: tuple[str, ...] = ()  # run in its own database after the template is copied
    scenarios: tuple[str, ...] | None = None  # None: all
    keep_alive: bool = True  # False: its server closes each connection after its answer
    ready: Ready = field(default_factory=Ready)
    install: tuple[str, ...] | None = None  # files that its environment is made from; None: as found
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    build: tuple[str, ...] = ()  # commands, once for its files
    schema: tuple[str, ...] | None = None  # SQL files, for a fresh database; None: those of apps/
    prepare: tuple[str, ...] = ()  # commands, on a fresh database and folder; their result is the template
    env_file: str | None = None
    pass_env: tuple[str, ...] = ()  # names of variables of the user's shell

    @property
    def at(self) -> str:
        """Its folder as a path below the root; "" is the root."""
        return f"apps/{self.app}" if self.folder is None else self.folder

    @property
    def place(self) -> Path:
        return Path(self.root) / self.at
