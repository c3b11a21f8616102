"""Placeholders in what a contender declares: their names, and the text that replaces them."""

import re
from collections.abc import Iterable, Mapping
from string import Formatter

from bench.errors import UsageError

OWN = ("host", "port", "workers", "threads", "folder", "data_dir")  # of every server, whatever its services
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


class Url(str):
    """A URL in which a placeholder may change the scheme: {database_url:postgresql+asyncpg}."""

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if not SCHEME.fullmatch(spec):
            raise ValueError(f"{spec!r} is no scheme")
        return f"{spec}{self[self.index('://') :]}"


Values = Mapping[str, object]


def filled(template: str, values: Values, *, where: str, services: Mapping[str, Iterable[str]]) -> str:
    """Return *template* with its placeholders replaced.

    *services*: the placeholders of each service that could be added. Raises UsageError, which begins with
    *where*, for an unknown placeholder.
    """
    begins = f"{where}: {template!r} cannot be filled in"
    try:
        for _, name, spec, _ in Formatter().parse(template):
            if name is not None and name not in values:
                raise UsageError(f"{begins}: {_unknown(name, values, services)}")
            if spec and "{" in spec:
                raise UsageError(f"{begins}: a placeholder within another, in {{{name}:{spec}}}")
        return template.format_map(values)
    except ValueError as error:
        raise UsageError(f"{begins} ({error}): {_known(values)}") from error


def _unknown(name: str, values: Values, services: Mapping[str, Iterable[str]]) -> str:
    if adding := [service for service, names in services.items() if name in names]:
        return f"{{{name}}} needs a service: add {' or '.join(adding)} to its services"
    return f"{{{name}}} is unknown: {_known(values)}"


def _known(values: Values) -> str:
    return f"{' '.join(f'{{{name}}}' for name in values)} are known; a brace is written twice"
