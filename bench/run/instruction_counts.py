"""Instructions per request, counted outside every window on servers that are never timed (docs/adr/0016).

Windows of the same requests go to a fresh server, one at a time. Five are counted, once windows agree.
Python's garbage collections are told apart. Servers run beside one another, one for each core: a count does
not depend on time.
"""

import hashlib
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from math import ceil, inf
from pathlib import Path
from time import monotonic
from typing import Any

from bench.errors import CannotMeasure
from bench.files import legible, read_json, to_json, write_atomically
from bench.load.mix import dealt_counts
from bench.load.serial import Deadline, OutOfTime, Serial, WrongAnswer
from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.records import CountedWindow, Instructions
from bench.run.field_queries import queried_on
from bench.run.progress import Progress
from bench.run.statement_counts import OF_USERS
from bench.run.verification import content_keys
from bench.runtime import Runtime, Server
from bench.runtime.callgrind import Executed, together, unknown_instruction, version
from bench.runtime.placement import available_cores

REMEMBERED = 2  # add one when a remembered count has to be counted anew
METHOD = 2  # part of the counter's name: add one when the way of counting changes
REQUESTS = 40  # of a window
WARM_UP = 4  # windows before counting begins: without it a server is several times as fast
AGREE = 0.005  # of two counted windows in a row: then it is warm
SETTLING_MOST = 8  # windows until two agree
WINDOWS = 5
SEEDS = (0, 1)
MORE_SEEDS = (2, 3, 4)  # where the first two leave a doubt
LIMIT_S = 60.0  # for an answer: a counted server is 50 times slower
NO_TIME = "the budget left no time for it"
RESIDENT = 0.01  # of the tree: a process below it works by the clock, such as gunicorn's arbiter

Wanted = tuple[Contender, Scenario]


def count_until_clear(
    wanted: Sequence[Wanted],
    runtime: Runtime,
    progress: Progress,
    *,
    doubtful: Callable[[Sequence[Instructions]], Collection[tuple[str, str]]],
    memory: Path | None = None,
    until_s: float = inf,
    profiles: Path | None = None,
) -> Iterator[Instructions]:
    """Yield what `count` does. Then yield anew, with more hash seeds, what is *doubtful*."""
    counted = partial(count, runtime=runtime, progress=progress, memory=memory, until_s=until_s)
    first = {}
    for found in counted(wanted, profiles=profiles):
        first[found.contender, found.scenario] = found
        yield found
    places = doubtful([*first.values()])
    for more in counted([one for one in wanted if _name(one) in places], seeds=MORE_SEEDS):
        found = first[more.contender, more.scenario]
        yield replace(
            found,
            windows={**found.windows, **more.windows},
            remembered=found.remembered and more.remembered,
            why=more.why and f"with more hash seeds: {more.why}",
        )


def count(
    wanted: Sequence[Wanted],
    runtime: Runtime,
    progress: Progress,
    *,
    seeds: Sequence[int] = SEEDS,
    together: int | None = None,
    memory: Path | None = None,
    until_s: float = inf,
    profiles: Path | None = None,
) -> Iterator[Instructions]:
    """Yield the count of each of *wanted*, or why there is none.

    *seeds*: of Python's hashes, a fresh server for each. *together*: how many servers run at once; as many
    as there are cores, if it is not given. *memory* is the folder of earlier counts of the same content;
    None: count all anew. What cannot end before *until_s* (`monotonic`) is left out, with that reason.
    *profiles* is a folder for callgrind's file of a window of each count that is not remembered.
    """
    if why := runtime.uncounted():
        yield from (without(one, why) for one in wanted)
        return
    together = together or len(available_cores() or (0,))
    of_users = [one for one in wanted if one[1].locustfile]
    yield from (without(one, OF_USERS) for one in of_users)
    wanted = [one for one in wanted if not one[1].locustfile]
    files = _files(wanted, runtime, memory, seeds) if memory else {}
    known = {name: read_json(file, Instructions) for name, file in files.items() if file.exists()}
    for scenario in dict.fromkeys(scenario.name for _, scenario in wanted):
        of_it = [one for one in wanted if one[1].name == scenario]
        for one in of_it:
            if found := known.get(_name(one)):
                yield replace(found, contender=one[0].name, remembered=True)
        due = [(one, seed) for one in of_it if _name(one) not in known for seed in seeds]
        parts: dict[str, list[Instructions]] = {}
        late = False
        for first in range(0, len(due), together):
            beside = due[first : first + together]
            if late:
                counted = [without(one, NO_TIME) for one, _ in beside]
            else:
                names = dict.fromkeys(contender.name for (contender, _), _ in beside)
                progress.phase(f"counting instructions in {scenario}: {', '.join(names)}")
                batches = ceil((len(due) - first) / together)  # with this one
                counted = _counted(beside, runtime, profiles, until_s, batches)
            late = any(part.why == NO_TIME for part in counted)
            for (one, _), part in zip(beside, counted, strict=True):
                of_seeds = parts.setdefault(one[0].name, [])
                of_seeds.append(part)
                if len(of_seeds) == len(seeds):
                    result = _merged(of_seeds)
                    if result.windows and (file := files.get(_name(one))):
                        file.parent.mkdir(parents=True, exist_ok=True)
                        write_atomically(file, to_json(result))
                    yield result


def _counted(
    beside: Sequence[tuple[Wanted, int]],
    runtime: Runtime,
    profiles: Path | None,
    until_s: float,
    batches: int,
) -> list[Instructions]:
    """Count on servers that run at the same time, each with its hash seed; apart if they do not all start.

    So many *batches* like this one have to end before *until_s*: a base without its head says nothing.
    """
    deadline = Deadline(until_s)
    try:
        deadline.check()
        with (
            runtime.serve_counted([(contender, seed) for (contender, _), seed in beside]) as servers,
            ThreadPoolExecutor(len(beside)) as pool,
        ):
            of_server = partial(_of_server, profiles=profiles, deadline=deadline, batches=batches)
            try:
                found = list(pool.map(of_server, servers, [scenario for (_, scenario), _ in beside]))
            except BaseException:
                deadline.until_s = 0.0  # the pool waits for all its threads, also after Ctrl-C
                raise
            runtime.check()
            return [
                replace(_known(one, server), windows={seed: windows})
                for (one, seed), server, windows in zip(beside, servers, found, strict=True)
            ]
    except OutOfTime:
        return [without(one, NO_TIME) for one, _ in beside]
    except (CannotMeasure, WrongAnswer) as error:
        names = dict.fromkeys(_name(one) for one, _ in beside)
        if len(names) == 1:
            return [without(one, _why(one, error)) for one, _ in beside]
        apart = [[found for found in beside if _name(found[0]) == name] for name in names]
        return [part for each in apart for part in _counted(each, runtime, profiles, until_s, batches)]


def _merged(of_seeds: Sequence[Instructions]) -> Instructions:
    """Return the counts of several hash seeds as one; as the first that is none, if there is one."""
    windows = {seed: found for one in of_seeds for seed, found in one.windows.items()}
    return next((one for one in of_seeds if not one.windows), replace(of_seeds[0], windows=windows))


def _known(one: Wanted, server: Server) -> Instructions:
    """Return what *one* and its server show: the counter, and its environment."""
    counter = f"{server.instructions.name}, method {METHOD}" if server.instructions else ""
    return replace(
        without(one, ""),
        counter=counter,
        environment=server.environment,
        requests=REQUESTS,
        too_rare=_too_rare(one[1]),
        path_length=len(server.path),
    )


def _too_rare(scenario: Scenario) -> tuple[str, ...]:
    counts = dealt_counts(scenario.weights, REQUESTS)
    dealt = zip(scenario.exchanges, scenario.weights, counts, strict=True)
    return tuple(exchange.name for exchange, weight, count in dealt if weight and not count)


def _of_server(
    server: Server, scenario: Scenario, *, profiles: Path | None, deadline: Deadline, batches: int
) -> tuple[CountedWindow, ...]:
    """Return the instructions per request of each window. Raises CannotMeasure, OutOfTime."""
    counter = server.instructions
    assert counter is not None
    (known,) = queried_on([server], [scenario])
    try:
        with Serial(
            known, server.address, requests=REQUESTS, seed=1, limit_s=LIMIT_S, deadline=deadline
        ) as serial:
            for _ in range(WARM_UP):
                serial.window()
            counter.begin(server.pids())
            began_s = monotonic()
            sent, executed = serial.window(), counter.read(server.pids())
            deadline.check((batches * (1 + WINDOWS) - 1) * (monotonic() - began_s))
            everything = sum(one.everything for one in executed.values())
            serving = [pid for pid, one in executed.items() if one.everything >= RESIDENT * everything]
            before = _window(sent, executed)
            for _ in range(SETTLING_MOST):
                found = [_window(serial.window(), counter.read(serving))]
                if abs(found[0].usual / before.usual - 1) <= AGREE:
                    break
                before = found[0]
            name = profile_name(server.contender.name, scenario.name)
            for last in range(1, WINDOWS + 1):
                if profiles and found[-1] is plainest(found):
                    counter.keep(serving, profiles, name)
                if last < WINDOWS:
                    found.append(_window(serial.window(), counter.read(serving)))
            if counter.ended():
                raise CannotMeasure("a process of it ended meanwhile, whose instructions are in no count")
            return tuple(found)
    except WrongAnswer as error:
        raise CannotMeasure(f"{error}{_ended(server)}") from error


def plainest(windows: Sequence[CountedWindow]) -> CountedWindow:
    """Return the one whose profile is kept: the first with the fewest instructions in collections."""
    return min(windows, key=lambda one: one.collections or 0.0)


def _window(sent: int, executed: Mapping[int, Executed]) -> CountedWindow:
    all_of_it = together(executed.values())
    collected = all_of_it.collections
    usual = all_of_it.everything - (collected or 0)
    return CountedWindow(usual=usual / sent, collections=None if collected is None else collected / sent)


def profile_name(contender: str, scenario: str) -> str:
    """Return the part of the names of its profiles that shows what they are of."""
    return f"{legible(contender)}+{legible(scenario)}"


def _ended(server: Server) -> str:
    how = server.ended()
    return f"; its server {how}\n{server.log_tail()}" if how else ""


def _why(one: Wanted, error: Exception) -> str:
    """Return why *one* is not counted, in one line."""
    text = str(error)
    if module := unknown_instruction(text):
        return f"valgrind does not know an instruction of {module}"
    return text.partition("\n")[0]


def without(one: Wanted, why: str) -> Instructions:
    contender, scenario = one
    return Instructions(contender=contender.name, scenario=scenario.name, why=why)


def _name(one: Wanted) -> tuple[str, str]:
    return one[0].name, one[1].name


def _files(
    wanted: Sequence[Wanted], runtime: Runtime, memory: Path, seeds: Sequence[int]
) -> dict[tuple[str, str], Path]:
    """Return where each count is remembered: named by all that it depends on."""
    keys = content_keys([contender for contender, _ in wanted])
    facts: Mapping[str, Any] = runtime.facts()
    files = {}
    for contender, scenario in wanted:
        made = facts["environments"][facts["environment_of"][contender.name]]
        place = runtime.name, facts["environment_of"][contender.name], len(contender.root)
        machine = version(), platform.libc_ver(), made["python"], made["built"], *place
        content = repr(
            (REMEMBERED, METHOD, REQUESTS, WINDOWS, tuple(seeds), machine, keys[contender.name], scenario)
        )
        digest = hashlib.sha256(content.encode()).hexdigest()[:24]
        files[contender.name, scenario.name] = memory / f"{digest}.json"
    return files
