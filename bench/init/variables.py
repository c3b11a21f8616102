"""Which variables the source of a service reads, and the value that each has under bench."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.init.checkout import Checkout, argument, calls, constant, dotted, joined, last
from bench.init.needs import Needs

EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example", "example.env")
NOT_SECRET = "no-secret-bench-only-0123456789abcdefghijklmnopqrstuvwxyz"

_READERS = ("getenv", "config", "env", "Csv")
_URL = re.compile(r"^(?:\w+_)?(?:DATABASE|DB|SQLALCHEMY_DATABASE|POSTGRES(?:QL)?|PG|MYSQL)_?(?:URL|URI|DSN)$")
_PART = re.compile(
    r"^(?:DJANGO_|APP_)?(?:DATABASE|DB|POSTGRES(?:QL)?|PG|MYSQL|SQL|RDS)_?"
    r"(?P<part>HOST|HOSTNAME|SERVER|PORT|NAME|DB|DATABASE|USER|USERNAME|PASSWORD|PASS)$"
)
_PARTS = {
    "HOST": "host", "HOSTNAME": "host", "SERVER": "host", "PORT": "port", "NAME": "name", "DB": "name",
    "DATABASE": "name", "USER": "user", "USERNAME": "user", "PASSWORD": "password", "PASS": "password",
}  # fmt: skip
_REDIS = re.compile(
    r"(?:REDIS|VALKEY)\w*_(?P<part>URL|URI|DSN|HOST|PORT)$|^(?:CACHE|CELERY_BROKER|BROKER)_URL$"
)
_MEMCACHED = re.compile(r"MEMCACHED?_(?P<part>URL|SERVERS?|ADDRESS|LOCATION|HOST|PORT)$")
_SECRET = re.compile(r"SECRET|SALT|SIGNING|JWT.*KEY|^APP_KEY$")
_HOSTS = re.compile(r"ALLOWED_HOSTS$")
_DEBUG = re.compile(r"(?:^|_)DEBUG$")
_DRIVERS = {"psycopg": "postgres", "psycopg2": "postgres", "psycopg2-binary": "postgres",
            "psycopg-binary": "postgres", "asyncpg": "postgres", "mysqlclient": "mysql",
            "pymysql": "mysql", "aiomysql": "mysql", "asyncmy": "mysql"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    name: str
    file: str
    default: str | None = None  # None: it is required, or its default is no constant
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value of `env`; without a text it must be filled in."""

    name: str
    text: str = ""
    remark: str = ""


def variables(files: Checkout, folder: str) -> dict[str, Variable]:
    """Return what the Python files below *folder* read of the environment, by name."""
    found: dict[str, Variable] = {}
    for path in files.below(folder):
        tree = files.tree(path) if path.endswith(".py") else None
        for one in _of_tree(tree, path) if tree else ():
            if one.name not in found or (found[one.name].default is None and one.default is not None):
                found[one.name] = one
    return found


def _environs(tree: ast.Module) -> set[str]:
    """Return the names of the process's environment. Another `environ` is a request's, of WSGI."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "os")
    bare = any(one.name == "environ" for node in imports for one in node.names)
    return {"os.environ", "environ"} if bare else {"os.environ"}


def _of_tree(tree: ast.Module, path: str) -> Iterator[Variable]:
    environs = _environs(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and dotted(node.value) in environs:
            name = constant(node.slice)
            if isinstance(name, str) and isinstance(node.ctx, ast.Load):
                yield Variable(name=name, file=path)
        elif isinstance(node, ast.ClassDef) and any(last(one) == "BaseSettings" for one in node.bases):
            yield from _of_settings(node, path)
    for call in calls(tree):
        name = constant(argument(call, "key", 0))
        of_environ = dotted(call.func) in {f"{one}.get" for one in environs} or last(call.func) in _READERS
        of_env = isinstance(call.func, ast.Attribute) and dotted(call.func.value) == "env"
        if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and (of_environ or of_env):
            default = argument(call, "default", 1)
            soft = default is not None or last(call.func) in ("get", "getenv")
            value = constant(default)
            text = str(value) if isinstance(value, str | int) else None
            yield Variable(name=name, file=path, default=text, required=not soft)
        elif last(call.func) == "config" and dotted(call.func) == "dj_database_url.config":
            value = constant(argument(call, "default"))
            yield Variable(
                name="DATABASE_URL",
                file=path,
                default=value if isinstance(value, str) else None,
                required=False,
            )
        elif dotted(call.func) == "env.db" and not call.args:
            yield Variable(name="DATABASE_URL", file=path)


def _of_settings(node: ast.ClassDef, path: str) -> Iterator[Variable]:
    prefix = next(
        (
            str(constant(argument(one, "env_prefix")) or "")
            for one in calls(node)
            if last(one.func) == "SettingsConfigDict"
        ),
        "",
    )
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            value = constant(one.value)
            yield Variable(
                name=f"{prefix}{one.target.id}".upper(),
                file=path,
                default=str(value) if isinstance(value, str | int) else None,
                required=one.value is None,
            )


def example_of(files: Checkout, folder: str) -> tuple[str, dict[str, str]]:
    """Return the env file that shows how a service is set up, and its values."""
    for name in EXAMPLES:
        if files.has(joined(folder, name)):
            lines = re.findall(
                r"^(?:export )?([A-Za-z_]\w*)=(.*)$", files.text(joined(folder, name)), re.MULTILINE
            )
            return name, {key: value.split(" #")[0].strip().strip("\"'") for key, value in lines}
    return "", {}


def services(
    files: Mapping[str, str], needs: Needs, read: Mapping[str, Variable], known: Mapping[str, str]
) -> dict[str, str]:
    """Return the services that a server needs, each with why. *files*: services of compose files."""
    found: dict[str, str] = {}
    database = [one for one in read if _URL.match(one) or _PART.match(one)]
    texts = [*known.values(), *(one.default or "" for one in read.values())]
    for driver, service in _DRIVERS.items():
        if needs.has(driver) and not {"postgres", "mysql"} & found.keys():
            if service in files:
                found[service] = f"found in {files[service]}"
            elif database or any(one.startswith((service, "postgresql")) for one in texts):
                found[service] = f"guessed: {driver} is installed"
    redis = any(_REDIS.search(one) for one in read)
    if needs.has("redis", "django-redis", "valkey") and ("redis" in files or redis):
        found["redis"] = (
            f"found in {files['redis']}" if "redis" in files else "guessed: its client is installed"
        )
    if needs.has("pymemcache", "pylibmc", "python-memcached", "aiomcache") and (
        "memcached" in files or any(_MEMCACHED.search(one) for one in read)
    ):
        found["memcached"] = (
            "found in " + files["memcached"] if "memcached" in files else "guessed: its client"
        )
    return found


def value_of(one: Variable, given: str | None, needs: Needs, there: Mapping[str, str]) -> Setting | None:
    """Return the value of a variable, None where its own default or the env file is right."""
    name, before = one.name, given if given is not None else one.default or ""
    database = "postgres" in there or "mysql" in there
    if _URL.match(name) and database:
        scheme = _scheme(before, needs, "postgres" if "postgres" in there else "mysql")
        return Setting(name=name, text=f"{{database_url{':' if scheme else ''}{scheme}}}")
    if database and (part := _PART.match(name)):
        return Setting(name=name, text=f"{{database_{_PARTS[part['part']]}}}")
    if "redis" in there and (found := _REDIS.search(name)):
        part_name = {"HOST": "host", "PORT": "port"}.get(found["part"] or "", "url")
        if found["part"] or before.startswith("redis"):
            return Setting(name=name, text=f"{{redis_{part_name}}}")
    if "memcached" in there and (found := _MEMCACHED.search(name)):
        kind = {"HOST": "host", "PORT": "port"}.get(found["part"], "address")
        return Setting(name=name, text=f"{{memcached_{kind}}}")
    if _HOSTS.search(name):
        return Setting(name=name, text="127.0.0.1,localhost", remark="guessed: separated by commas")
    if _DEBUG.search(name) and before.lower() in ("1", "true", "yes", "on"):
        off = {"1": "0", "yes": "no", "on": "off"}.get(
            before.lower(), "False" if before[0] == "T" else "false"
        )
        return Setting(name=name, text=off, remark="it was on")
    if given:
        return None
    if _SECRET.search(name) and (one.required or given is not None):
        return Setting(name=name, text=NOT_SECRET, remark="guessed: it has no value, and any will do here")
    if one.required and not one.default and name not in ("HOST", "PORT", "HOME", "PATH", "TZ"):
        return Setting(name=name)
    return None


def _scheme(before: str, needs: Needs, service: str) -> str:
    """Return the scheme of a database's URL, "" for the plain one."""
    written = urlsplit(before).scheme if "://" in before else ""
    if written.startswith(("postgres", "mysql")) and written not in ("postgresql", "mysql"):
        return written
    if written or not needs.has("sqlalchemy", "sqlmodel", "flask-sqlalchemy"):
        return ""
    if service == "mysql":
        known = {"asyncmy": "mysql+asyncmy", "aiomysql": "mysql+aiomysql", "pymysql": "mysql+pymysql"}
    else:
        known = {
            "psycopg2": "",
            "psycopg2-binary": "",
            "psycopg": "postgresql+psycopg",
            "asyncpg": "postgresql+asyncpg",
        }
    return next((scheme for driver, scheme in known.items() if needs.has(driver)), "")
