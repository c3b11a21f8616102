"""How a service is started and what runs beside it: Procfile, Dockerfile, compose file, gunicorn.conf.py."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.init.checkout import Checkout, joined

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_IMAGES = {
    "postgres": ("postgres", "postgis", "timescaledb", "pgvector"),
    "mysql": ("mysql", "mariadb", "percona"),
    "redis": ("redis", "valkey", "dragonfly", "keydb"),
    "memcached": ("memcached",),
}
_BEFORE = ("exec", "poetry", "uv", "pipenv", "pdm", "run", "hatch")
# program → its options for the address, options that go with their value, options that go
_SERVERS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "gunicorn": ("--bind {host}:{port} --workers {workers}", ("-b", "--bind", "-w", "--workers"),
                 ("-D", "--daemon", "--reload")),
    "uvicorn": ("--host {host} --port {port} --workers {workers}",
                ("--host", "--port", "--workers", "--uds", "--fd", "--reload-dir"), ("--reload",)),
    "hypercorn": ("--bind {host}:{port} --workers {workers}", ("-b", "--bind", "-w", "--workers"),
                  ("--reload",)),
    "granian": ("--host {host} --port {port} --workers {workers}",
                ("--host", "--port", "--workers"), ("--reload",)),
    "daphne": ("-b {host} -p {port}", ("-b", "--bind", "-p", "--port"), ()),
    "waitress-serve": ("--listen={host}:{port}", ("--listen", "--host", "--port"), ()),
    "fastapi": ("--host {host} --port {port} --workers {workers}", ("--host", "--port", "--workers"), ()),
}  # fmt: skip
_MIGRATES = re.compile(r"\b(migrate|alembic upgrade|db upgrade|init-?db|loaddata)\b")


@dataclass(slots=True, eq=False)
class Deployment:
    """What the files say about the start of one service."""

    command: str = ""  # with placeholders
    command_from: str = ""
    unused: list[str] = field(default_factory=list)  # commands that are not used, with their place
    prepare: list[tuple[str, str]] = field(default_factory=list)  # command, place
    services: dict[str, str] = field(default_factory=dict)  # postgres → place
    env: dict[str, tuple[str, str]] = field(default_factory=dict)  # name → value, place

    def offer(self, written: str | Sequence[str], place: str) -> None:
        """Take a command if it starts a server that is known, and what it runs before as `prepare`."""
        *before, server = [*_parts(written)] or [""]
        self.prepare += [(one, place) for one in before if _MIGRATES.search(one)]
        if _MIGRATES.search(server):
            self.prepare.append((server, place))
            return
        bound = _bound(server)
        if bound and not self.command:
            self.command, self.command_from = bound, place
        elif server and not bound:
            self.unused.append(f"{place}: `{server}`")


def deployment(files: Checkout, folder: str, *, alone: bool = True) -> Deployment:
    """Return what the files say. *alone*: the service of *folder* is the only one of the checkout."""
    found = Deployment()
    _read_procfile(files, joined(folder, "Procfile"), found)
    _read_compose(files, folder, found, alone=alone)
    _read_dockerfile(files, joined(folder, "Dockerfile"), found)
    return found


def _read_procfile(files: Checkout, path: str, found: Deployment) -> None:
    for line in files.text(path).splitlines():
        kind, colon, command = line.partition(":")
        if colon and kind.strip() in ("release", "web"):
            found.offer(command.strip(), path)


def _read_dockerfile(files: Checkout, path: str, found: Deployment) -> None:
    entry: list[str] = []
    command: list[str] = []
    for line in re.sub(r"\\\s*\n", " ", files.text(path)).splitlines():
        word, _, rest = line.strip().partition(" ")
        match word.upper():
            case "FROM":
                entry, command = [], []
            case "ENV":
                for name, value in _assigned(rest):
                    found.env.setdefault(name, (value, path))
            case "CMD":
                command = _words(rest)
            case "ENTRYPOINT":
                entry, command = _words(rest), []
    whole = [*entry, *command]
    if whole:
        found.offer(whole, path)


def _words(text: str) -> list[str]:
    try:
        listed = json.loads(text)
    except ValueError:
        return ["sh", "-c", text]
    return [str(one) for one in listed] if isinstance(listed, list) else ["sh", "-c", text]


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError:
        return
    if words and "=" not in words[0]:
        yield words[0], " ".join(words[1:])
        return
    yield from ((name, value) for name, equal, value in (one.partition("=") for one in words) if equal)


def _read_compose(files: Checkout, folder: str, found: Deployment, *, alone: bool) -> None:
    for path in dict.fromkeys(joined(place, name) for place in (folder, "") for name in COMPOSE):
        services = files.yaml(path).get("services")
        for name, one in services.items() if isinstance(services, dict) else ():
            if isinstance(one, dict):
                _read_service(str(name), one, path, folder, found, alone=alone)


def _read_service(
    name: str, one: Mapping[str, Any], path: str, folder: str, found: Deployment, *, alone: bool
) -> None:
    image = str(one.get("image", "")).rpartition("/")[2].partition(":")[0].lower()
    for service, known in _IMAGES.items():
        if any(image.startswith(word) for word in known):
            found.services.setdefault(service, f"{path}, service {name}")
            return
    build = one.get("build")
    if not _is_of(build, path, folder, alone=alone):
        return
    place = f"{path}, service {name}"
    written = one.get("command")
    if isinstance(written, str | list):
        words = [str(word) for word in written] if isinstance(written, list) else written
        if not re.search(r"\b(celery|rq|worker|beat|dramatiq)\b", str(words)):
            found.offer(words, place)
    given = one.get("environment")
    pairs = given.items() if isinstance(given, dict) else (str(pair).split("=", 1) for pair in given or ())
    for key, *value in pairs:
        if value and value[0] is not None:
            found.env.setdefault(str(key), (str(value[0]), place))


def _is_of(build: Any, path: str, folder: str, *, alone: bool) -> bool:
    context = build.get("context", ".") if isinstance(build, dict) else build
    if not isinstance(context, str):
        return False
    parts = [*path.split("/")[:-1], *context.split("/")]
    at = "/".join(one for one in parts if one not in ("", "."))
    file = str(build.get("dockerfile", "")) if isinstance(build, dict) else ""
    return at == folder or (not at and bool(folder) and (alone or file.startswith(f"{folder}/")))


def _parts(written: str | Sequence[str]) -> Iterator[str]:
    """Yield the commands of a line, without what only leads to them: exec, poetry run, sh -c."""
    if not isinstance(written, str):
        words = list(written)
        if len(words) > 2 and words[0].rpartition("/")[2] in ("sh", "bash") and "c" in words[1]:
            yield from _parts(words[2])
            return
        written = shlex.join(words)
    text = re.sub(r"\$(\{PORT(:?-\w+)?\}|PORT\b)", "{port}", written.strip())
    text = text.replace("'{port}'", "{port}")
    found = re.fullmatch(r"(?:ba)?sh -l?c (['\"])(.*)\1", text, re.DOTALL)
    for one in re.split(r"&&|;|\n", found[2] if found else text):
        words = one.split()
        while words and (words[0] in _BEFORE or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
            words = words[1:]
        if words:
            yield " ".join(words)


def _bound(command: str) -> str:
    """Return *command* so that it listens on {host}:{port}, "" if it starts no server that is known."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    lead: list[str] = []
    if len(words) > 2 and words[0].startswith("python") and words[1] == "-m":
        lead, words = ["python", "-m"], words[2:]
    program = words[0].rpartition("/")[2] if words else ""
    if program not in _SERVERS or (program == "fastapi" and words[1:2] not in (["run"], ["dev"])):
        return ""
    options, valued, alone = _SERVERS[program]
    kept: list[str] = [program]
    rest = iter(words[1:])
    for word in rest:
        name = word.partition("=")[0]
        if name in valued:
            if "=" not in word:
                next(rest, None)
        elif word not in alone and not re.fullmatch(r"-[bw]\S+", word):
            kept.append("run" if program == "fastapi" and word == "dev" else word)
    if any("$" in one for one in kept):
        return ""
    escaped = [one.replace("{", "{{").replace("}", "}}") for one in kept]
    last = [] if program != "waitress-serve" or len(escaped) < 2 else [escaped.pop()]
    return " ".join([*lead, shlex.join(escaped), options, *map(shlex.quote, last)])
