"""Caches as containers, from their public images, with the settings of those that are processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.runtime.docker.containers import Containers, as_this_user, on_cores
from bench.runtime.services.caches import KINDS, Cache, Wanted

SERVICES = {name: f"cache-{name}" for name in KINDS}  # of docker-compose.yml


@contextmanager
def cache_containers(
    wanted: Sequence[Wanted], *, group: Containers, logs: Path, cores: tuple[int, ...] | None
) -> Iterator[list[Cache]]:
    """Start all that are *wanted*, each kind in one go; they are gone afterwards. Raises CannotMeasure."""
    with group:
        started = []
        for name, service in SERVICES.items():
            these = {one.label: one for one in wanted if one.kind.name == name}
            if not these:
                continue
            said = {
                label: {"command": one.kind.command(one.port), **as_this_user(), **on_cores(cores)}
                for label, one in these.items()
            }
            up = group.start(service, said, {label: logs / one.log_name for label, one in these.items()})
            started += [Cache(wanted=these[label], child=one, source=one.image) for label, one in up.items()]
        yield started
