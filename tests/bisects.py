"""Does a bisect find the commit? `bench bisect` on histories of 32 commits, three of them broken.

    python -m tests.bisects time --times 2          10 % more CPU in one commit, followed by time alone
    python -m tests.bisects instructions|statements|response_bytes
    python -m tests.bisects time --nothing          nothing is planted: it must end at once
    python -m tests.bisects simulated RUN…          by time, with the noise of twins in folders of runs

Each line is one bisect, as JSON: what was planted, what was found, steps, seconds. Run nothing beside those
by time. `simulated` starts no server.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, stdev

from bench.analysis.comparisons import log_ratios, noise_floors
from bench.analysis.statistics import rounds_for
from bench.compare.bisect import BisectOptions, Search, searched
from bench.compare.bisect_reading import LOOKS, CommitReading, of_time, rounds_at
from bench.compare.bisect_target import BisectTarget
from bench.compare.bisection import Commit, steps_for
from bench.compare.significance import FALSE_ALARMS, FamilyCell, adjusted_p
from bench.model.plan import MARGINS
from bench.records import Run
from bench.run.store import load
from tests.gate import BENCH, HELLO, NOTES, SQLITE, STATELESS, make_service, work_of, write
from tests.support.repositories import commit, git

COMMITS, BROKEN = 32, 3
METRIC = "service_demand_us"  # by time, the first that a bisect follows
PILOT, MOST_ENDS = 9, 60  # rounds of GOOD beside BAD: the pilot, and what a budget of 10 minutes allows
COST, SLOWER = 60_000, 67_500  # numbers that a handler adds up: it takes a tenth more CPU per request
MORE_BYTES = STATELESS.replace('"Hello"', '"Hello", "and": "how do you do?"')
LISTED = "    return 200, [row"
MORE_STATEMENTS = SQLITE.replace(
    LISTED, f'    database().execute("SELECT count(*) FROM notes").fetchall()\n{LISTED}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What the commits of a history do: all from *culprit* on do more, *broken* ones do not start."""

    metric: str
    culprit: int | None  # None: nothing is planted
    broken: Collection[int]

    def write(self, project: Path, number: int) -> None:
        """Write the files of commit *number*."""
        is_worse = self.culprit is not None and number >= self.culprit
        by_work = self.metric in ("time", "instructions")
        begun = "raise RuntimeError\n" if number in self.broken else ""
        work = work_of(SLOWER if is_worse and by_work else COST)
        write(project / "libs" / "pricing.py", f"# change {number:2}\n{begun}{work}")
        if is_worse and not by_work:
            app = project / "apps" / "shop_app" / "app.py"
            before, after = (
                (STATELESS, MORE_BYTES) if self.metric == "response_bytes" else (SQLITE, MORE_STATEMENTS)
            )
            write(app, app.read_text().replace(before, after))


def planted(metric: str, seed: int, *, nothing: bool = False) -> Planted:
    draw = random.Random(f"{metric} {seed}")
    culprit = None if nothing else draw.randint(1, COMMITS)
    others = [number for number in range(1, COMMITS) if number != culprit]
    return Planted(metric=metric, culprit=culprit, broken=frozenset(draw.sample(others, BROKEN)))


def in_a_sibling(project: Path, cost: int) -> None:
    write(project / "libs" / "pricing.py", work_of(cost))


def make_history(project: Path, what: Planted) -> None:
    """Make a repository with the tags good, c1 … c32, as *what* has it."""
    make_service(project, "sqlite" if what.metric == "statements" else "stateless", in_a_sibling, COST)
    write(project / "apps" / "scenarios.toml", NOTES if what.metric == "statements" else HELLO)
    commit(project, "the scenarios")
    git(project, "tag", "good")
    for number in range(1, COMMITS + 1):
        what.write(project, number)
        commit(project, f"change {number}")
        git(project, "tag", f"c{number}")


def bisected(project: Path, what: Planted, *words: str) -> dict[str, object]:
    """Return what `bench bisect` found of *what* is planted in *project*."""
    begun = time.monotonic()
    options = ("--runtime", "process", "--metric", what.metric, "--json", *words)
    command = [BENCH, "bisect", "good", "main", *options]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    said = done.stderr.strip().splitlines()
    steps = [f"{one['subject']}: {one['outcome']}, {one['took_s']:.0f} s" for one in found.get("steps", ())]
    return {
        "metric": what.metric,
        "planted": what.culprit,
        "broken": sorted(what.broken),
        "found": (found.get("subject") or "").removeprefix("change ") or None,
        "verdict": found.get("verdict"),
        "exit": done.returncode,
        "steps": steps,
        "seconds": round(time.monotonic() - begun),
        "said": said[-3:] if done.returncode not in (0, 1) else [],
    }


def noise_of(run: Run) -> list[list[float]]:
    """Return the log-ratio of each round of each twin to its original, in CPU time per request."""
    return [
        [*log_ratios(run.records, one.cell, replace(one.cell, contender=one.reference), METRIC).values()]
        for one in noise_floors(run)
        if one.metric == METRIC
    ]


def simulated(noise: Sequence[Sequence[float]], what: Planted, seed: int, slower: float) -> dict[str, object]:
    """Return what a search by time finds, if each run has the noise of one twin, its rounds drawn anew.

    Its verdicts are those of `bench bisect`. A twin's rounds are not centred: what differed between equal
    servers all the time is in them, to either side.
    """
    draw, rounds = random.Random(seed), 0

    def measured(log_ratio: float, count: int) -> dict[int, float]:
        nonlocal rounds
        rounds += count
        side, one = draw.choice((1, -1)), draw.choice(noise)
        return {number: log_ratio + side * draw.choice(one) for number in range(count)}

    effect = math.log(slower) if what.culprit else 0.0
    margin = math.log1p(MARGINS[METRIC])
    ends = measured(effect, PILOT)
    needed = min(MOST_ENDS, rounds_for(stdev(ends.values()), margin, PILOT))
    if needed > PILOT:
        ends |= {PILOT + number: ratio for number, ratio in measured(effect, needed - PILOT).items()}
    proven = adjusted_p([FamilyCell(log_ratios=ends, log_margin=margin, towards=1)])[0] <= FALSE_ALARMS
    facts: dict[str, object] = {"planted": what.culprit, "broken": sorted(what.broken)}
    if not proven:
        return {**facts, "found": None, "suspects": 0, "steps": 0, "rounds": rounds}
    commits = tuple(Commit(sha=f"{number}", parents=(f"{number - 1}",)) for number in range(1, COMMITS + 1))
    target = BisectTarget(
        contender="shop",
        scenario="front",
        of="front",
        metric="time",
        good=1.0,
        bad=math.exp(median(ends.values())),
        timed_by=METRIC,
    )
    steps = steps_for(COMMITS)

    def measure(commit: Commit) -> tuple[CommitReading, float]:
        number = int(commit.sha)
        if number in what.broken:
            return CommitReading(outcome="skip"), 0.0
        is_worse = what.culprit is not None and number >= what.culprit
        known: dict[int, float] = {}
        reading = CommitReading(outcome=None)
        for look in range(LOOKS):
            new = measured(math.log(slower) if is_worse else 0.0, rounds_at(look, steps))
            known |= {len(known) + place: ratio for place, ratio in enumerate(new.values())}
            reading = of_time(known, target, steps=steps)
            if reading.outcome:
                break
        return reading, 0.0

    wanted = BisectOptions(good="0", bad=commits[-1].sha, budget_s=0.0, runtime="process")
    begun = Search(wanted=wanted, commits=commits, target=target)
    search, answer = searched(begun, measure, lambda search: None)
    culprit = int(answer.culprit) if answer.culprit else None
    suspects = len(answer.suspects)
    return {**facts, "found": culprit, "suspects": suspects, "steps": len(search.steps), "rounds": rounds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    kinds = ["time", "instructions", "statements", "response_bytes", "simulated"]
    parser.add_argument("metric", choices=kinds)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs with twins, for `simulated`")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="the seed of the first; others follow")
    parser.add_argument("--nothing", action="store_true", help="plant nothing")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--slower", type=float, default=1.10, help="of `simulated`: 1.1 is 10 %%")
    given = parser.parse_args()
    if given.metric == "simulated":
        noise = [one for run in given.runs for one in noise_of(load(run))]
        for seed in range(given.first, given.first + given.times):
            what = planted("simulated", seed, nothing=given.nothing)
            sys.stdout.write(json.dumps(simulated(noise, what, seed, given.slower)) + "\n")
        return
    with tempfile.TemporaryDirectory(prefix="bisects-") as folder:
        for seed in range(given.first, given.first + given.times):
            what = planted(given.metric, seed, nothing=given.nothing)
            make_history(project := Path(folder) / str(seed), what)
            sys.stdout.write(json.dumps(bisected(project, what, "--budget", given.budget)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
