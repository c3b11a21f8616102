"""A service of a checkout as a contender of bench.toml: what was found, guessed and left open."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import UsageError
from bench.init import routes
from bench.init.checkout import Checkout, assignments, calls, constant, joined, last
from bench.init.deployment import Deployment, deployment
from bench.init.draft import Draft
from bench.init.extensions import extensions
from bench.init.needs import Needs, needs
from bench.init.variables import Variable, example_of, services, value_of, variables
from bench.init.web_app import PLAIN, WebApp, web_apps
from bench.project.postgres_origins import ON_PATH
from bench.runtime.services.postgresql_programs import extensions_of_wheel

_READ_BY_OTHERS = ("DJANGO_SETTINGS_MODULE", "FLASK_APP")  # by the frameworks themselves
_LOCAL = ("*", "localhost", "127.0.0.1")

_FOR_WSGI = ("gunicorn", "waitress", "granian")  # servers that call any WSGI function


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlLine:
    """A key of a contender. *is_open*: it is written as a comment, for someone to fill in."""

    key: str
    value: Any
    remark: str = ""
    is_open: bool = False


@dataclass(slots=True, eq=False)
class FoundService:
    name: str
    folder: str
    framework: str
    lines: list[TomlLine] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, key: str, value: Any, remark: str) -> None:
        """Add a key. A remark that begins with "guessed" is listed so."""
        self.lines.append(TomlLine(key=key, value=value, remark=remark))
        shown = f"{key} = {value}: {remark.removeprefix('guessed: ')}"
        (self.guessed if remark.startswith("guessed") else self.found).append(shown)

    def value(self, key: str) -> Any:
        return next((one.value for one in self.lines if one.key == key and not one.is_open), None)


def found(files: Checkout) -> list[FoundService]:
    """Return the services of a checkout. Raises UsageError if there is none."""
    apps: dict[str, list[WebApp]] = {}
    for one in web_apps(files):
        apps.setdefault(one.folder, []).append(one)
    if not apps:
        raise UsageError(
            f"{files.root}: no web application in Python was found (Django, Flask, FastAPI, Starlette, "
            "Quart, Litestar, WSGI, ASGI): write bench.toml by hand, see docs/your-service.md"
        )
    taken: set[str] = set()
    result = []
    for folder, several in apps.items():
        service = _service(files, several[0], _name(files, folder, taken), alone=len(apps) == 1)
        taken.add(service.name)
        service.guessed += [f"{one.file} is not the service, {several[0].file} is" for one in several[1:]]
        result.append(service)
    return result


def _name(files: Checkout, folder: str, taken: set[str]) -> str:
    project = files.toml(joined(folder, "pyproject.toml")).get("project", {}).get("name")
    written = project if isinstance(project, str) else folder.rpartition("/")[2] or files.root.resolve().name
    plain = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-") or "app"
    return plain if plain not in taken else re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")


def _service(files: Checkout, app: WebApp, name: str, *, alone: bool) -> FoundService:
    own = FoundService(name=name, folder=app.folder, framework=app.framework)
    own.found.append(f"{app.framework}: {app.file}{f' ({app.target})' if app.module and app.name else ''}")
    packages, start = needs(files, app.folder), deployment(files, app.folder, alone=alone)
    settings = _settings(files, app)
    if app.folder:
        own.add("folder", app.folder, f"found: {app.file}")
    _add_packages(own, packages)
    _add_build(own, files, app, settings)
    read = variables(files, app.folder)
    example, values = example_of(files, app.folder)
    there = services(start.services, packages, read, values)
    if there:
        own.add("services", list(there), "; ".join(there.values()))
    if "postgres" in there:
        _add_postgres(own, extensions(files, app.folder))
    own.missing += [
        f"{service} of {place}: no driver of it is installed, or nothing is read of the environment for it"
        for service, place in start.services.items()
        if service not in there
    ]
    command = _add_command(own, app, packages, start, files)
    _add_prepare(own, files, app, packages, start)
    _add_env(own, read, example, values, packages, start, there)
    own.drafts = routes.drafts(files, app, settings)
    _add_ready(own, settings)
    if _closes(command, files, app):
        own.add("keep_alive", False, "guessed: this server closes each connection after its answer")
    own.missing += [] if command else ["command: how is its server started, on {host} and {port}?"]
    return own


def _settings(files: Checkout, app: WebApp) -> dict[str, ast.expr]:
    """Return what a Django project's settings assign, those of production above their base."""
    if app.framework != "django":
        return {}
    named = re.search(r"DJANGO_SETTINGS_MODULE['\"], *['\"]([\w.]+)", files.text(app.file))
    path = named[1].replace(".", "/") if named else "settings"
    result: dict[str, ast.expr] = {}
    for one in sorted(files.below(app.folder), key=lambda one: not one.endswith("base.py")):
        own = (
            one.endswith(f"{path}.py")
            or f"{path.rpartition('/')[0] if 'settings' in path.rpartition('/')[0] else path}/" in one
        )
        if one.endswith(".py") and own and "settings" in one and (tree := files.tree(one)):
            result.update((key, value) for key, value in assignments(tree) if key.isupper())
    return result


def _add_postgres(own: FoundService, made: Mapping[str, str]) -> None:
    lacking = {name: path for name, path in made.items() if name not in extensions_of_wheel()}
    if lacking:
        where = ", ".join(f"{name} ({path})" for name, path in lacking.items())
        own.add("postgres", {"bin": ON_PATH}, f"guessed: the PostgreSQL of bench lacks {where}")


def _add_packages(own: FoundService, packages: Needs) -> None:
    if packages.install is not None and packages.install:
        own.add("install", packages.install[0], "guessed: the likeliest of its files of packages")
    elif packages.install is not None:
        own.add("install", [], "guessed: no file of packages was found")
        if own.framework not in PLAIN:
            own.missing.append(f"install: a file of packages that has {own.framework}")
    else:
        own.found.append(f"packages: {packages.file}")
    for key in ("extras", "groups"):
        if (value := getattr(packages, key)) and _is_for(own.framework, packages):
            own.add(key, list(value), "guessed: a server is in it")
    if packages.python:
        own.add("python", packages.python, f"found: it requires Python {packages.requires_python}")


def _is_for(framework: str, packages: Needs) -> bool:
    """Whether a server among *packages* can be that of the service."""
    return framework != "python" and (framework != "wsgi" or packages.has(*_FOR_WSGI))


def _add_build(own: FoundService, files: Checkout, app: WebApp, settings: Mapping[str, ast.expr]) -> None:
    if "STATIC_ROOT" in settings and app.has_manage:
        own.add("build", ["python manage.py collectstatic --noinput"], "found: STATIC_ROOT in its settings")
    elif re.search(r'"build"\s*:\s*"', files.text(joined(app.folder, "package.json"))):
        own.lines.append(
            TomlLine(
                key="build", value=["npm ci && npm run build"], remark="guessed: package.json", is_open=True
            )
        )
        own.guessed.append("build, as a comment: package.json has a build script; is it needed for answers?")


def _add_command(own: FoundService, app: WebApp, packages: Needs, start: Deployment, files: Checkout) -> str:
    if start.command and (not packages.names or _is_installed(start.command, packages)):
        own.add("command", start.command, f"found in {start.command_from}")
        return start.command
    config = next((one for one in ("gunicorn.conf.py",) if files.has(joined(app.folder, one))), "")
    command = _proposed(app, packages, with_gunicorn=bool(config))
    if command:
        own.add("command", command, f"guessed: from {app.file}{f' and {config}' if config else ''}")
    if start.command:
        own.missing.append(
            f"{start.command_from} starts `{start.command.split()[0]}`, which is in no file of packages"
        )
    if not packages.server and app.framework not in ("wsgi", "python"):
        wanted = "gunicorn" if app.framework in ("django", "flask") else "uvicorn"
        own.missing.append(
            f"no production server is installed: add {wanted} to {packages.file or 'its packages'}"
        )
    own.missing += [f"not used: {one}" for one in start.unused if not command]
    return command


def _closes(command: str, files: Checkout, app: WebApp) -> bool:
    """Whether a server closes each connection after its answer: gunicorn's sync workers do, Werkzeug does."""
    if app.framework == "python":
        return "HTTP/1.1" not in files.text(app.file)
    if re.search(r"\bgunicorn\b", command):
        options = command + files.text(joined(app.folder, "gunicorn.conf.py"))
        return not re.search(r"--threads|-k\b|worker.class|\bthreads\b", options)
    return "wsgiref" in command or command.startswith("flask ")


def _is_installed(command: str, packages: Needs) -> bool:
    words = command.split()
    program = words[2] if words[:2] == ["python", "-m"] else words[0]
    return packages.has(program.removesuffix("-serve"))


def _proposed(app: WebApp, packages: Needs, *, with_gunicorn: bool) -> str:
    """Return a command for *app* with a server that is installed, else its own development server."""
    called = f"'{app.target}()'" if app.is_factory else app.target
    from_src = " --pythonpath src" if app.src else ""
    workers = "--workers {workers}"
    if app.framework == "django" and not app.module:
        return "python manage.py runserver {host}:{port} --noreload"
    if app.framework in ("python", "wsgi") and not _is_for(app.framework, packages):
        return _plain(app)
    asynchronous = app.is_async
    uvicorn = f"uvicorn {app.target} --host {{host}} --port {{port}} {workers}"
    uvicorn += (" --factory" if app.is_factory else "") + (" --app-dir src" if app.src else "")
    if packages.has("gunicorn") and (not asynchronous or with_gunicorn):
        return f"gunicorn {called} --bind {{host}}:{{port}} {workers}{from_src}"
    if asynchronous and (packages.has("uvicorn") or not packages.server):
        return uvicorn
    match packages.server:
        case "waitress" if not asynchronous:
            call = f"--call {app.target}" if app.is_factory else app.target
            return f"waitress-serve --listen={{host}}:{{port}} {call}"
        case "hypercorn" if not app.is_factory:
            return f"hypercorn {app.target} --bind {{host}}:{{port}} {workers}"
        case "granian":
            kind = "asgi" if asynchronous else "wsgi"
            return f"granian --interface {kind} {app.target} --host {{host}} --port {{port}} {workers}"
        case "daphne" if asynchronous:
            return f"daphne -b {{host}} -p {{port}} {app.target}"
    if app.has_manage:
        return "python manage.py runserver {host}:{port} --noreload"
    if app.framework == "django":
        return f"gunicorn {called} --bind {{host}}:{{port}} {workers}"
    if app.framework == "flask":
        return f"flask --app {called if app.is_factory else app.target} run --host {{host}} --port {{port}}"
    return uvicorn


def _plain(app: WebApp) -> str:
    inside = app.file.removeprefix(f"{app.folder}/") if app.folder else app.file
    if app.framework == "python":
        return {"env": f"python {inside}", "argv": f"python {inside} {{host}} {{port}}"}.get(app.how, "")
    way = "import sys; sys.path.insert(0, 'src'); " if app.src else ""
    served = (
        f"from {app.module} import {app.name} as app; make_server('{{host}}', {{port}}, app).serve_forever()"
    )
    return f'python -c "{way}from wsgiref.simple_server import make_server; {served}"'


def _add_prepare(own: FoundService, files: Checkout, app: WebApp, packages: Needs, start: Deployment) -> None:
    commands = dict(start.prepare)
    written = " ".join(commands)
    where = "; ".join(dict.fromkeys(f"found in {place}" for place in commands.values()))
    reasons = [where] if where else []
    if app.has_manage and "migrate" not in written:
        commands["python manage.py migrate --noinput"] = ""
        reasons.append(f"found: {app.file}")
    if files.has(joined(app.folder, "alembic.ini")) and "alembic" not in written:
        commands["alembic upgrade head"] = ""
        reasons.append("found: alembic.ini")
    flask = f"flask --app {app.module}"
    if (
        packages.has("flask-migrate")
        and (files.root / app.folder / "migrations").is_dir()
        and "db upgrade" not in written
    ):
        commands[f"{flask} db upgrade"] = ""
        reasons.append("found: Flask-Migrate and migrations/")
    elif (
        app.framework == "flask" and (named := _click_command(files, app.folder)) and named[0] not in written
    ):
        commands[f"{flask} {named[0]}"] = ""
        reasons.append(f"guessed: a command in {named[1]}")
    if commands:
        own.add("prepare", list(commands), "; ".join(reasons))


def _click_command(files: Checkout, folder: str) -> tuple[str, str] | None:
    for path in files.below(folder):
        tree = files.tree(path) if path.endswith(".py") else None
        for call in calls(tree) if tree else ():
            name = constant(call.args[0]) if call.args else None
            if (
                last(call.func) == "command"
                and isinstance(name, str)
                and re.search(r"^(init|create)[-_]?(db|tables|database)", name)
            ):
                return name, path
    return None


def _add_env(
    own: FoundService,
    read: Mapping[str, Variable],
    example: str,
    values: Mapping[str, str],
    packages: Needs,
    start: Deployment,
    there: Mapping[str, str],
) -> None:
    if example:
        own.add("env_file", example, "found; values of env replace its own")
    everything = {**{name: Variable(name=name, file=example, required=False) for name in values}, **read}
    env: dict[str, str] = {}
    remarks = []
    for name in dict.fromkeys((*everything, *(one for one in _READ_BY_OTHERS if one in start.env))):
        given = values.get(name, start.env.get(name, (None, ""))[0])
        one = everything.get(name) or Variable(name=name, file="", required=False)
        found = value_of(one, given, packages, there)
        if found is None and name in start.env and name not in values:
            found_text, place = start.env[name]
            if "$" not in found_text:
                env[name] = found_text.replace("{", "{{").replace("}", "}}")
                remarks.append(f"{name}: found in {place}")
        elif found is not None and found.text:
            env[name] = found.text
            if found.remark:
                remarks.append(f"{name}: {found.remark}")
        elif found is not None:
            own.missing.append(f"env.{name}: {one.file} reads it, and no file has a value")
    if env:
        own.lines.append(TomlLine(key="env", value=env, remark="; ".join(remarks)))
        own.found.append(f"env: {', '.join(env)}")
        own.guessed += [f"env.{one.replace('guessed: ', '')}" for one in remarks if "guessed" in one]
    own.missing += _without_a_port(env)


def _without_a_port(env: Mapping[str, str]) -> Iterator[str]:
    """Yield what is amiss where a database's host is read and its port is not: here it is never 5432."""
    for service in ("database", "redis"):
        values = env.values()
        if f"{{{service}_host}}" in values and f"{{{service}_port}}" not in values:
            yield f"env: its source reads the host of its {service}, and not the port: let it read both"


def _add_ready(own: FoundService, settings: Mapping[str, ast.expr]) -> None:
    sent = [one for one in own.drafts if not one.lacks]
    ready: dict[str, Any] = {"path": "/"}
    remark = "guessed: no route was found"
    if sent:
        is_health = routes.HEALTH.search(sent[0].request)
        ready["path"] = sent[0].request.partition(" ")[2]
        remark = sent[0].origin if is_health else f"guessed: its first route ({sent[0].origin})"
        if sent[0].status != 200:
            ready["status"] = sent[0].status
    else:
        own.drafts.insert(0, Draft(name="home", request="GET /", origin="guessed: no route was found"))
        own.missing.append("exchanges: no route without parameters was found")
    hosts = constant(settings.get("ALLOWED_HOSTS"))
    if isinstance(hosts, list) and hosts and not any(one in _LOCAL for one in hosts):
        ready["host"] = str(hosts[0]).lstrip(".")
        remark += "; host: of ALLOWED_HOSTS"
        own.drafts = [_with_host(one, ready["host"]) for one in own.drafts]
    own.add("ready", ready, remark)


def _with_host(one: Draft, host: str) -> Draft:
    return replace(one, headers={**one.headers, "Host": host})


def summary(service: FoundService) -> Iterator[str]:
    yield f"{service.name} ({service.framework}, in {service.folder or 'this folder'})"
    for title, lines in (
        ("found", service.found),
        ("guessed", service.guessed),
        ("not found", service.missing),
    ):
        for one in lines:
            yield f"  {title}: {one}"
