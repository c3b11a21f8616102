"""What helps where SQL needs an extension that its PostgreSQL lacks."""

import re

# The server's words: since 15, and before.
NO_EXTENSION = re.compile(
    r'extension "([^"]+)" is not available'
    r'|could not open extension control file "[^"]*/([^"/]+)\.control"'
)
NOT_ALLOWED = re.compile(r'permission denied to create extension "([^"]+)"')
WITHOUT = {
    "uuid-ossp": " (gen_random_uuid() needs no extension)",
    "pgcrypto": " (gen_random_uuid() and sha256() need no extension)",
}
PACKAGES = {"postgis": "postgis-3", "vector": "pgvector", "plpython3u": "plpython3"}
# Those of PostgreSQL that the wheel lacks. Debian has them in postgresql-contrib.
CONTRIBUTED = frozenset({"uuid-ossp", "pgcrypto", "xml2", "sslinfo"})


def remedy(message: str, *, major: int | None = None, image: str = "", at: str = "") -> str:
    """Return what helps against *message*, "" if it names no extension.

    *major*: of the PostgreSQL of this machine; *image*: of the container; *at*: the address of a server that
    runs already. None of them: the one of the wheel.
    """
    if found := NOT_ALLOWED.search(message):
        return f": let a superuser make {found[1]} in template1 of that server, or name such a user in url"
    if not (found := NO_EXTENSION.search(message)):
        return ""
    name = found[1] or found[2]
    if major:
        package = _package(name, str(major))
        return f" in PostgreSQL {major} of this machine: install it (Debian, Ubuntu: apt install {package})"
    if at:
        return f" at {at}: install it there"
    instead = f" here: leave it out{WITHOUT.get(name, '')}, or name a PostgreSQL that has it: "
    if image:
        return f'{instead}postgres = {{ image = "…" }}'
    return f'{instead}postgres = {{ bin = "PATH" }}, after `apt install {_package(name, "VERSION")}`'


def _package(name: str, major: str) -> str:
    if name in CONTRIBUTED:
        return "postgresql-contrib"
    return f"postgresql-{major}-{PACKAGES.get(name, name.replace('_', '-'))}"
