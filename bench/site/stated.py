"""What a submission states of contenders and scenarios: facts by which a reader filters."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bench.model.contender import Contender, name_of
from bench.model.scenario import SAFE, Exchange, Scenario
from bench.project.content_hash import digest, digest_of_scenario
from bench.records import Run, Verification
from bench.runtime.services.own import DATABASES
from bench.site.submission import StatedContender, StatedExchange, StatedScenario

MAPPERS = ("sqlalchemy", "sqlmodel", "peewee", "tortoise-orm", "pony", "ormar", "piccolo", "django")
SYNCHRONOUS = ("-def", "-sync")  # end the base of one whose views are plain functions


def contender_of(run: Run, one: Contender) -> StatedContender:
    name, environment = name_of(one.name), environment_of(run, one)
    packages = run.fingerprint.get("environments", {}).get(environment, {}).get("packages", {})
    framework = framework_of(one, packages)
    checked = checks_of(run, one.name)
    content = run.fingerprint.get("content", {}).get("apps", {})
    return StatedContender(
        name=one.name,
        base=one.base,
        stack=one.stack,
        app=one.app,
        folder=one.at,
        framework=framework,
        framework_version=packages.get(framework),
        interface=one.interface,
        server=one.server,
        server_version=packages.get(one.server),
        is_async=is_async(one),
        data=data_of(one, packages),
        database=not DATABASES.isdisjoint(one.services),
        services=one.services,
        switches=name.switches,
        revision=name.revision,
        is_twin=name.is_twin,
        workers=one.workers,
        threads=one.threads,
        python=run.fingerprint.get("environments", {}).get(environment, {}).get("python"),
        environment=environment,
        source=content.get(one.app),
        locked_at=run.fingerprint.get("locks", {}).get(one.app, {}).get("committed_at"),
        definition=digest(asdict(replace(one, root="", name="", stack=""))),
        checks=checked.outcome if checked else "no checks",
        checks_passed=checked.checks if checked and checked.outcome == "passed" else 0,
        keep_alive=one.keep_alive,
    )


def checks_of(run: Run, contender: str) -> Verification | None:
    original = name_of(contender).original
    found = {one.contender: one for one in run.verifications}
    return found.get(contender) or found.get(original)


def framework_of(one: Contender, packages: Mapping[str, str]) -> str:
    """Return the framework by its package: the one that the contender, or else its stack, is named after."""
    family = one.base.partition("-")[0]
    named = (family, *re.findall(r"[a-z0-9_-]+", one.stack.lower()))
    return next((name for name in named if name in packages and name != one.server), family)


def is_async(one: Contender) -> bool:
    """Whether its views run on an event loop, as far as its interface, name and switches show."""
    switches = name_of(one.name).switches
    return one.interface == "asgi" and "async=off" not in switches and not one.base.endswith(SYNCHRONOUS)


def data_of(one: Contender, packages: Mapping[str, str]) -> Any:
    """Return "orm" or "sql", how it speaks to its database; None without one, or if nothing shows it."""
    if DATABASES.isdisjoint(one.services):
        return None
    if "orm=off" in name_of(one.name).switches:
        return "sql"
    if any(name in packages for name in MAPPERS):
        return "orm"
    return "sql" if packages else None


def environment_of(run: Run, one: Contender) -> str | None:
    """Return the name of its environment; None if there are several that it may be, or none."""
    if known := run.fingerprint.get("environment_of", {}).get(one.name):
        return str(known)
    # An older run does not record it.
    counted = {found.environment for found in run.instructions if found.contender == one.name}
    if len(counted) == 1 and (used := counted.pop()):
        return used
    minor = "".join((one.python or "").split(".")[:2])
    names = [name for name in run.fingerprint.get("environments", {}) if name.startswith(f"{one.app}-py")]
    if len(names) > 1:
        names = [name for name in names if minor and name.startswith(f"{one.app}-py{minor}-")]
    return names[0] if len(names) == 1 else None


def scenario_of(run: Run, one: Scenario) -> StatedScenario:
    return StatedScenario(
        name=one.name,
        about=one.about,
        hash=digest_of_scenario(one),
        database=has_statements(run, one),
        exchanges=tuple(
            _exchange(exchange, weight) for exchange, weight in zip(one.exchanges, one.weights, strict=True)
        ),
        locustfile=one.locustfile is not None,
    )


def has_statements(run: Run, one: Scenario) -> bool | None:
    """Whether any contender runs a statement of SQL in it. None: nothing was counted."""
    names = {exchange.name for exchange in one.exchanges}
    counts = [found.per_request for found in run.queries if found.exchange in names]
    known = [count for count in counts if count is not None]
    return any(known) if known else None


def weighted(one: Scenario, values: Mapping[str, float | None]) -> float | None:
    """Return the mean over the exchanges of *one* by their weights; None if one of them is unknown."""
    drawn = [
        (values.get(exchange.name), weight)
        for exchange, weight in zip(one.exchanges, one.weights, strict=True)
        if weight
    ]
    if not drawn or any(value is None for value, _ in drawn):
        return None
    return sum((value or 0.0) * weight for value, weight in drawn) / sum(weight for _, weight in drawn)


def _exchange(one: Exchange, weight: int) -> StatedExchange:
    return StatedExchange(
        name=one.name,
        request=f"{one.method} {one.path}",
        weight=weight,
        writes=one.method not in SAFE or one.writes,
    )
