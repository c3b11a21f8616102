"""The services there are, and those that each server has for itself."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from bench.errors import UsageError
from bench.model.contender import Contender, PostgresOrigin
from bench.runtime.contender_placeholders import OWN, Url, filled
from bench.runtime.services.caches import MEMCACHED, VALKEY, cache
from bench.runtime.services.mysql import MYSQL
from bench.runtime.services.postgresql import POSTGRESQL, lacking_container, lacking_process
from bench.runtime.services.service import OwnPart, Service, ServiceFacts, ServiceKind

INSTEAD = "or use --runtime compose"
KINDS = {kind.name: kind for kind in (POSTGRESQL, MYSQL, cache(VALKEY), cache(MEMCACHED))}
PLACEHOLDERS = {name: kind.placeholders for name, kind in KINDS.items()}
DATABASES = frozenset(name for name, kind in KINDS.items() if kind.is_database)
COUNTING = frozenset(name for name, kind in KINDS.items() if kind.counts_statements)
UNCOUNTED = "in containers only our PostgreSQL counts; `--runtime process` counts sqlite and MySQL too"


def known_services(contender: Contender) -> None:
    """Raise UsageError if it needs an unknown service, or has a placeholder that nothing fills."""
    needed = contender.services
    if unknown := [name for name in needed if name not in KINDS]:
        raise UsageError(f"{contender.name} wants {unknown[0]}: the services are {', '.join(KINDS)}")
    if contender.postgres != PostgresOrigin() and POSTGRESQL.name not in needed:
        raise UsageError(
            f'{contender.name} has the key postgres but no such service: add services = ["postgres"]'
        )
    own = tuple(name for service in needed for name in KINDS[service].placeholders)
    if len(set(own)) < len(own):
        raise UsageError(
            f"{contender.name} wants {' and '.join(needed)}: both give it a DATABASE_URL: keep one"
        )
    some = {name: Url("some://url") if name.endswith("_url") else 1 for name in (*OWN, *own)}
    filled(contender.command, some, where=f"{contender.name}: its command", services=PLACEHOLDERS)
    for name, value in contender.env.items():
        filled(value, some, where=f"{contender.name}: env {name}", services=PLACEHOLDERS)


def lack(contender: Contender) -> str | None:
    """Return why a service that it needs cannot be a process here, with the remedy."""
    found = [lacking(KINDS[name]) for name in contender.services if name in KINDS]
    return next((f"{why}: {remedy}" for why, remedy in filter(None, found)), lacking_process(contender))


def lacking(kind: ServiceKind) -> tuple[str, str] | None:
    """Return why a service cannot be a process here, and the remedy."""
    if not (missing := kind.missing()):
        return None
    why, remedy = missing
    return why, f"{remedy}, {INSTEAD}" if kind.containers else remedy


def uncontained(contender: Contender) -> str | None:
    """Return why a service that it needs cannot be a container, with the remedy."""
    for kind in [KINDS[name] for name in contender.services if name in KINDS]:
        if not kind.containers:
            return f"{kind.title} runs in no container here: use --runtime process"
    return lacking_container(contender)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServices:
    """The services of one server alone."""

    parts: Mapping[str, OwnPart] = field(default_factory=dict)  # by the service's name

    def environment(self) -> dict[str, str]:
        return {name: value for part in self.parts.values() for name, value in part.environment().items()}

    def placeholders(self) -> dict[str, object]:
        return {name: value for part in self.parts.values() for name, value in part.placeholders().items()}

    @property
    def counting_part(self) -> OwnPart | None:
        """The part that counts the statements of its server."""
        return next((part for part in self.parts.values() if part.counted_by), None)

    @property
    def database(self) -> OwnPart | None:
        return next((part for name, part in self.parts.items() if name in DATABASES), None)

    def remedy(self, message: str) -> str:
        return next(filter(None, (part.remedy(message) for part in self.parts.values())), "")

    def keep(self) -> None:
        for part in self.parts.values():
            part.keep()

    def data_version(self) -> object:
        return tuple(part.data_version() for part in self.parts.values())

    def reset(self) -> str | None:
        """Reset all to their kept states. Return why not, if that fails for one.

        Raises CannotMeasure if a service does not answer.
        """
        return next(filter(None, [part.reset() for part in self.parts.values()]), None)


class Services:
    """Gives every server separate services that its contender needs."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services

    def prepare(self, contender: Contender) -> None:
        """Make ready what its services are made from. Raises CannotMeasure."""
        for name, service in self._services.items():
            if name in contender.services:
                service.prepare(contender)

    @contextmanager
    def given(self, contenders: Sequence[Contender]) -> Iterator[Iterator[OwnServices]]:
        """Give a server of each of *contenders* its services, in their order; they are removed afterwards."""
        with ExitStack() as stack:
            parts = {
                name: stack.enter_context(service.given(users))
                for name, service in self._services.items()
                if (users := [one for one in contenders if name in one.services])
            }
            yield (
                OwnServices(parts={name: next(ones) for name, ones in parts.items() if name in one.services})
                for one in contenders
            )

    @contextmanager
    def preparing(self, contender: Contender) -> Iterator[OwnServices]:
        """Lend what commands use that run before its servers."""
        with ExitStack() as stack:
            yield OwnServices(
                parts={
                    name: stack.enter_context(service.preparing(contender))
                    for name, service in self._services.items()
                    if name in contender.services
                }
            )

    def check(self) -> None:
        for service in self._services.values():
            service.check()

    def pids(self) -> tuple[int, ...]:
        return tuple(pid for service in self._services.values() for pid in service.pids())

    def facts(self) -> Mapping[str, ServiceFacts]:
        found = {name: service.facts() for name, service in self._services.items()}
        return {name: facts for name, facts in found.items() if facts}


@contextmanager
def opened(each: Mapping[str, AbstractContextManager[Service]]) -> Iterator[Services]:
    """Open services by their names; leaving the context stops them all."""
    with ExitStack() as running:
        yield Services({name: running.enter_context(one) for name, one in each.items()})
