"""Which PostgreSQL holds a contender's databases, as a project declares it."""

from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.model.contender import PostgresOrigin
from bench.project.addresses import is_loopback

SCHEMES = ("postgresql", "postgres")
ON_PATH = "PATH"
ELSEWHERE = ("host", "hostaddr", "port", "service", "servicefile")  # libpq prefers these to the address


class WrittenPostgres(TypedDict, total=False):
    """The keys of `postgres`: which PostgreSQL it is."""

    bin: str
    url: str
    remote: bool
    image: str


def postgres_origin(where: str, written: WrittenPostgres) -> PostgresOrigin:
    """Return it; raises UsageError, which begins with *where*, if it contradicts itself."""
    origin = PostgresOrigin(**written)
    if origin.url is not None:
        if origin.bin is not None or origin.image is not None:
            raise UsageError(f"{where}: url is a server that runs already: leave out bin and image")
        _check_url(f"{where}.url", origin.url, remote=origin.remote)
    elif origin.remote:
        raise UsageError(f"{where}.remote: it goes with url: add one, or leave it out")
    if origin.bin is not None and origin.bin != ON_PATH and not Path(origin.bin).is_absolute():
        raise UsageError(f'{where}.bin: "{origin.bin}" is neither a whole path nor "{ON_PATH}"')
    if origin.image is not None and not origin.image.strip():
        raise UsageError(f"{where}.image: it is empty")
    return origin


def parts_of(url: str) -> SplitResult:
    """Return the parts of a server's address; raises ValueError with the reason if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError("it does not begin with postgresql://")
    if not parts.hostname:
        raise ValueError("it names no host: write 127.0.0.1 for this machine")
    _ = parts.port  # raises, too
    return parts


def _check_url(where: str, url: str, *, remote: bool) -> None:
    try:
        parts = parts_of(url)
    except ValueError as error:
        raise UsageError(f"{where}: {error}; an example: postgresql://me@127.0.0.1:5432/postgres") from error
    named = parse_qs(parts.query, keep_blank_values=True)
    if elsewhere := [key for key in ELSEWHERE if key in named]:
        raise UsageError(f"{where}: {elsewhere[0]} after the ? would name another server: leave it out")
    if parts.password is not None or "password" in named:
        raise UsageError(
            f"{where}: a password in it would be in every run.json: leave it out, and set PGPASSWORD or "
            "write it to ~/.pgpass"
        )
    if not remote and not is_loopback((parts.hostname or "", parts.port or 0)):
        raise UsageError(
            f"{where}: {parts.hostname} is another machine, whose network would be in every figure: "
            "name a server of this one, or add remote = true"
        )
