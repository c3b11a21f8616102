"""Services as a bench.toml, with where each line comes from, read back before it is left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import BenchError, CannotMeasure
from bench.files import printable
from bench.init.draft import Proposal, unique
from bench.init.found_service import FoundService
from bench.init.scenarios_file import readable, toml
from bench.init.scenarios_file import written as scenarios_written
from bench.project import contenders, scenarios
from bench.project.bench_file import NAME

HEAD = "# Made by `bench init` from the files here. `bench init --check` requests each exchange once."


def written(services: Sequence[FoundService], given: Proposal | None = None) -> str:
    """Return the file. *given*: exchanges in place of those of the routes. Raises CannotMeasure."""
    lines = [HEAD]
    names: set[str] = set()
    proposals = []
    for one in services:
        proposal, renamed = _proposal(one, names, one.name if len(services) > 1 else "")
        proposals.append((one, proposal if given is None else given))
        names |= renamed
    several = len(services) > 1 and given is None
    for service, _ in proposals:
        lines += ["", *_contender(service, service.name if several else "")]
    text = "\n".join(lines) + "\n"
    for service, proposal in proposals if given is None else proposals[:1]:
        body = scenarios_written(readable(proposal)).partition("\n")[2]
        text += body.replace("[scenarios.mix", f"[scenarios.{service.name}") if several else body
    _read_back(text, services)
    return text


def _proposal(service: FoundService, taken: set[str], prefix: str) -> tuple[Proposal, set[str]]:
    names: set[str] = set(taken)
    drafts = []
    for one in service.drafts:
        name = unique(f"{prefix}-{one.name}" if prefix else one.name, names, "-")
        names.add(name)
        drafts.append(replace(one, name=name))
    source = f"the routes of {service.name}, found in its source"
    return Proposal(source=source, drafts=tuple(drafts), counts=False), names


def _contender(service: FoundService, scenario: str) -> Iterator[str]:
    yield f"[contenders.{service.name}]"
    yield from (f"# not found: {printable(one, 400)}" for one in service.missing)
    for one in service.lines:
        if isinstance(one.value, Mapping) and one.key == "env":
            continue
        remark = f"  # {printable(one.remark, 300)}" if one.remark else ""
        yield f"{'# ' if one.is_open else ''}{one.key} = {toml(one.value)}{remark}"
    if not service.value("command"):
        yield 'command = "CHANGE-ME {host} {port}"'
    if scenario:
        yield f"scenarios = {toml([scenario])}"
    env = service.value("env")
    if env:
        yield ""
        yield f"[contenders.{service.name}.env]"
        remark = next(one.remark for one in service.lines if one.key == "env")
        yield from (f"# {printable(one, 300)}" for one in remark.split("; ") if one)
        yield from (toml({name: value})[2:-2] for name, value in env.items())


def _read_back(text: str, services: Sequence[FoundService]) -> None:
    """Read the file as bench does. Raises CannotMeasure if that is refused: it is our fault then."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / NAME).write_text(text, encoding="utf-8")
        for one in services:
            (root / one.folder).mkdir(parents=True, exist_ok=True)
        try:
            contenders.declared(root)
            scenarios.declared(root)
        except BenchError as error:
            what = str(error).replace(f"{root}/", "")
            raise CannotMeasure(
                f"bench init made a file that bench refuses: {what}: nothing is written; please report it"
            ) from error
