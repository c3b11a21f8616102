"""The services there are, and those that each server has for itself."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from bench.errors import UsageError
from bench.model import Contender
from bench.runtime.services.caches import MEMCACHED, VALKEY, cache
from bench.runtime.services.postgresql import POSTGRESQL
from bench.runtime.services.service import OwnPart, Service, ServiceFacts

INSTEAD = "or use --runtime compose"
KINDS = {kind.name: kind for kind in (POSTGRESQL, cache(VALKEY), cache(MEMCACHED))}
UNCOUNTED = "in containers only our PostgreSQL counts; `--runtime process` counts sqlite and MySQL too"


def known_services(contender: Contender) -> None:
    """Raise UsageError if it needs an unknown service."""
    if unknown := [name for name in contender.services if name not in KINDS]:
        raise UsageError(f"{contender.name} wants {unknown[0]}: the services are {', '.join(KINDS)}")


def lack(contender: Contender) -> str | None:
    """Return why a service that it needs cannot be a process here, with the remedy."""
    found = [KINDS[name].missing() for name in contender.services if name in KINDS]
    return next((f"{why}: {remedy}, {INSTEAD}" for why, remedy in filter(None, found)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServices:
    """The services of one server alone."""

    parts: Mapping[str, OwnPart] = field(default_factory=dict)  # by the service's name

    def environment(self) -> dict[str, str]:
        return {name: value for part in self.parts.values() for name, value in part.environment().items()}

    @property
    def counter(self) -> OwnPart | None:
        """The part that counts the statements of its server."""
        return next((part for part in self.parts.values() if part.counted_by), None)

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
