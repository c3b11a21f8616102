"""The data of the site's page, as scripts: a page that is opened from a file can load no JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.site.catalogue import Catalogue, Series, Track, Value
from bench.site.machines import FORMULA, MOST_FREEDOM, RULE, student
from bench.site.recomputed import unfit
from bench.site.releases import stack_of
from bench.site.submission import Figures, StatedCell, StatedContender, Submission

FORMAT = 1
MOST_LEFT_OUT = 50
DIGITS = 6


def index_of(catalogue: Catalogue, built_at: datetime, code: str) -> dict[str, Any]:
    """Return what the first view needs: every run in a few columns, and what it refers to."""
    trends = {key: number for number, key in enumerate(catalogue.series)}
    dates = sorted(one.at for one in catalogue.runs)
    return {
        "format": FORMAT,
        "built_at": built_at.astimezone(UTC).isoformat(timespec="seconds"),
        "code": code,
        "rule": RULE,
        "formula": FORMULA,
        "t": [None, *(round(student(freedom), 9) for freedom in range(1, MOST_FREEDOM + 1))],
        "left_out": _first(catalogue.left_out),
        "projects": [{"id": name, "name": called} for name, called in catalogue.projects],
        "machines": [_machine(catalogue, number) for number in range(len(catalogue.machines))],
        "plans": catalogue.plans,
        "stacks": catalogue.stacks,
        "conditions": [asdict(one) for one in dict.fromkeys(catalogue.conditions)],
        "contenders": [
            _contender(one, catalogue.numbers.project[whose])
            for (whose, _), one in catalogue.contenders.items()
        ],
        "scenarios": [
            {"name": one.name, "about": one.about, "hash": one.hash, "database": one.database}
            for one in catalogue.scenarios.values()
        ],
        "loads": [{"title": title, "slug": slug} for slug, title in catalogue.loads.items()],
        "runs": _runs(catalogue, trends),
        "boards": [_board(catalogue, numbers[0]) for numbers in catalogue.series.values()],
        "releases": {
            package: [found.version, int(found.first_at.timestamp())]
            for package, found in catalogue.releases.items()
        },
        "about": {
            "runs": len(catalogue.runs),
            "valid": sum(one.is_ranked for one in catalogue.runs),
            "machines": len(catalogue.machine_kinds),
            "from": f"{dates[0]:%Y-%m-%d}",
            "to": f"{dates[-1]:%Y-%m-%d}",
        },
    }


def _first(texts: Sequence[str]) -> list[str]:
    more = len(texts) - MOST_LEFT_OUT
    return [*texts[:MOST_LEFT_OUT], *([f"… and {more} more"] if more > 0 else [])]


def _machine(catalogue: Catalogue, number: int) -> dict[str, Any]:
    machine = catalogue.machines[number]
    own = [index for index, known in enumerate(catalogue.machine_of) if known == number]
    newest = catalogue.submissions[next((one for one in own if catalogue.runs[one].is_ranked), own[0])]
    facts = newest.facts
    floors = [one.ratio for one in newest.noise_floors if one.metric == "throughput_rps" and one.ratio]
    ceilings = [cell.ceiling_rps for cell in newest.cells if cell.ceiling_rps]
    return {
        "id": machine.id,
        "title": machine.title,
        "short": machine.short,
        "class": machine.kind,
        "runtime": machine.runtime,
        "facts": machine.facts,
        "cores": facts.get("machine", {}).get("cores"),
        "kernel": facts.get("system", {}).get("kernel"),
        "virtual": facts.get("machine", {}).get("virtual"),
        "python": facts.get("python", {}).get("version"),
        "noise_floor": floors[0] if floors else None,
        "ceiling_rps": max(ceilings, default=None),
        "runs": len(own),
    }


def _contender(one: StatedContender, project: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "project": project,
        "stack": one.stack,
        "framework": one.framework,
        "server": one.server,
        "interface": one.interface,
        "is_async": one.is_async,
        "data": one.data,
        "database": one.database,
        "python": one.python,
    }


def _runs(catalogue: Catalogue, trends: Mapping[Series, int]) -> dict[str, Any]:
    runs, numbers = catalogue.submissions, catalogue.numbers
    conditions = {one: number for number, one in enumerate(dict.fromkeys(catalogue.conditions))}
    return {
        "id": [run.id for run in runs],
        "at": [int(one.at.timestamp()) for one in catalogue.runs],
        "project": [numbers.project[run.project.id] for run in runs],
        "machine": catalogue.machine_of,
        "plan": [numbers.plan[run.plan.name] for run in runs],
        "stack": [numbers.stack[stack_of(run)] for run in runs],
        "conditions": [conditions[one] for one in catalogue.conditions],
        "commit": [run.project.commit[:8] for run in runs],
        "state": "".join(map(state_of, runs)),
        "void": [round(1000 * run.void_slices / run.slices) if run.slices else 0 for run in runs],
        "newer": "".join("1" if found else "0" for found in catalogue.outdated),
        "trend": [
            trends.get(catalogue.series_of(number), -1) if catalogue.runs[number].is_ranked else -1
            for number in range(len(runs))
        ],
    }


def state_of(run: Submission) -> str:
    return "i" if run.invalid else "v" if run.ended == "complete" else "p"


def _board(catalogue: Catalogue, number: int) -> dict[str, Any]:
    run = catalogue.submissions[number]
    references = Counter(stated.reference for stated in run.ratios)
    one = (
        catalogue.numbers.contender[run.project.id, run.contenders[min(references)].name]
        if references
        else -1
    )
    return {
        "run": number,
        "reference": one if len(references) == 1 else -1,
        "size": sum(_compares_throughput(run, cell) for cell in run.cells),
    }


def beside_run(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """Return what the script of a run holds beside the submission."""
    series = catalogue.series.get(catalogue.series_of(number), ())
    return {
        "project": catalogue.numbers.project[catalogue.submissions[number].project.id],
        "machine": catalogue.machine_of[number],
        "newer": {
            str(contender): [[one.package, one.here, one.newest] for one in found]
            for contender, found in catalogue.outdated[number].items()
        },
        "latest": catalogue.submissions[series[0]].id if series else None,
    }


def trends_of(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield the trends of each project, machine and plan, in the order of `Catalogue.series`."""
    for (project, machine, plan), numbers in catalogue.series.items():
        tracks: dict[Track, list[Value]] = {}
        for track, value in catalogue.values(numbers[::-1]):
            tracks.setdefault(track, []).append(value)
        yield {
            "project": project,
            "machine": machine,
            "plan": catalogue.numbers.plan[plan],
            "tracks": [_track(track) | _columns(values) for track, values in tracks.items()],
            "figures": _own_figures(catalogue, numbers[::-1]),
        }


def _own_figures(catalogue: Catalogue, runs: Sequence[int]) -> list[dict[str, Any]]:
    """Return requests per second and CPU per request of each cell over *runs*: of one machine and plan."""
    found: dict[tuple[int, int, int], dict[str, list[Any]]] = {}
    numbers = catalogue.numbers
    for number in runs:
        run = catalogue.submissions[number]
        for cell in run.cells:
            who, scenario = run.contenders[cell.contender], run.scenarios[cell.scenario]
            if who.is_twin or cell.withheld or not cell.throughput_rps:
                continue
            place = (
                numbers.contender[run.project.id, who.name],
                numbers.scenario[scenario.name, scenario.hash],
                numbers.load[run.loads[cell.load].slug],
            )
            columns = found.setdefault(place, {"run": [], "rps": [], "cpu": [], "bound": []})
            columns["run"].append(number)
            columns["rps"].append(_ends(cell.throughput_rps))
            columns["cpu"].append(_ends(cell.service_demand_us))
            columns["bound"].append(int(bool(cell.client_limit)))
    return [
        {"contender": contender, "scenario": scenario, "load": load, **columns}
        for (contender, scenario, load), columns in found.items()
    ]


def _compares_throughput(run: Submission, cell: StatedCell) -> bool:
    by_throughput = run.loads[cell.load].metrics[0] == "throughput_rps"
    return by_throughput and not unfit(cell) and not run.contenders[cell.contender].is_twin


def _ends(found: Figures | None) -> list[float | None] | None:
    return None if found is None else [_rounded(end) for end in found[:3]]


def travels_of(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "tracks": [_travel(catalogue, track, values) for track, values in catalogue.newest.items()],
    }


def _travel(catalogue: Catalogue, track: Track, values: Sequence[Value]) -> dict[str, Any]:
    return {
        **_track(track),
        "project": track.project,
        **_columns(values),
        "held": [catalogue.held(value) for value in values],
    }


def _track(track: Track) -> dict[str, Any]:
    return {
        "contender": track.contender,
        "scenario": track.scenario,
        "load": track.load,
        "reference": track.reference,
        "metric": track.metric,
    }


def _columns(values: Sequence[Value]) -> dict[str, Any]:
    return {
        "run": [value.run for value in values],
        "ratio": [_rounded(value.ratio) for value in values],
        "low": [_rounded(value.low) for value in values],
        "high": [_rounded(value.high) for value in values],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
