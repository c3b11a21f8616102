"""Is a planted change counted as large as it is? `bench count --check`, with loops of known cost in our apps.

    python -m tests.planted                       0.3, 0.5, 1 and 2 % in a handler, then in a serializer
    python -m tests.planted --percents 0 --times 5     nothing is planted: none may be found

Each line is one count, as JSON: what was planted, what was found, whether it is beyond the margin.
Other programs may run beside it. It needs valgrind.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.gate import BENCH, ROOT
from tests.support.repositories import git

CONTENDERS = ("django-drf", "flask", "fastapi")
SCENARIO = "users-read"
LOOP = "for _ in range({times}): sum(range(10))"
COLLECTED = re.compile(r"Collected : (\d+)")
RUNS = 1_000  # of the loop, to learn what it costs

# Where a loop is planted: a file, a line in it, and what follows that line. The base has loops of no turn.
Place = tuple[str, str, str]
HANDLERS: Sequence[Place] = (
    ("apps/django_app/views_drf.py", "def retrieve_user(request, user_id):", "    {loop}"),
    ("apps/flask_app/views.py", "def retrieve_user(user_id):", "    {loop}"),
    (
        "apps/fastapi_app/views.py",
        "async def retrieve_user(user_id: UserId, session: SessionDep):",
        "    {loop}",
    ),
)
SERIALIZERS: Sequence[Place] = (
    (
        "apps/django_app/serializers.py",
        "class UserSerializer(serializers.Serializer):",
        "    def to_representation(self, instance):\n"
        "        {loop}\n"
        "        return super().to_representation(instance)\n",
    ),
    ("apps/flask_app/models.py", "    def to_json(self):", "        {loop}"),
    (
        "apps/fastapi_app/schemas.py",
        "class UserOut(BaseModel):",
        '    @__import__("pydantic").field_serializer("id")\n'
        "    def planted(self, value):\n"
        "        {loop}\n"
        "        return value\n",
    ),
)
PLACES = {"handler": HANDLERS, "serializer": SERIALIZERS}


def plant(checkout: Path, place: str, times: Sequence[int]) -> None:
    """Plant loops of so many turns at *place* of each contender, and of none elsewhere."""
    git(checkout, "checkout", "--quiet", "--", "apps")
    for name, changes in PLACES.items():
        for (file, line, planted), turns in zip(changes, times, strict=True):
            path = checkout / file
            before, found, after = path.read_text(encoding="utf-8").partition(f"{line}\n")
            if not found:
                raise SystemExit(f"{file} has no line {line.strip()!r} any more: name another one here")
            loop = LOOP.format(times=f"{turns if name == place else 0:3}")
            path.write_text(f"{before}{found}{planted.format(loop=loop)}\n{after}", encoding="utf-8")


def cost_of_a_turn() -> float:
    """Return the instructions of a turn of the loop, as valgrind counts them in a Python of its own."""

    def collected(times: int) -> int:
        program = f"def work():\n    {LOOP.format(times=times)}\nfor _ in range({RUNS}): work()"
        command = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            "-c",
            program,
        ]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True
        )
        found = COLLECTED.search(done.stderr)
        if found is None:
            raise SystemExit(f"valgrind did not say what it collected: {done.stderr[-200:]}")
        return int(found[1])

    return (collected(30) - collected(10)) / 20 / RUNS


def counted(checkout: Path, *words: str) -> dict[str, list[dict[str, object]]]:
    command = [BENCH, "count", *CONTENDERS, SCENARIO, "--json", *words]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"bench count ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return found


def found_of(checkout: Path, percents: Sequence[float], times: int) -> Iterator[dict[str, object]]:
    kept = checkout / ".bench" / "planted.json"
    kept.parent.mkdir(exist_ok=True)
    plant(checkout, "handler", [0] * len(CONTENDERS))
    base = counted(checkout, "--keep", str(kept))
    usual = {str(one["contender"]): float(str(one["instructions"])) for one in base["counts"]}
    turn = cost_of_a_turn()
    for place in PLACES:
        for percent in [one for one in percents for _ in range(times)]:
            turns = [round(percent / 100 * usual[name] / turn) for name in CONTENDERS]
            plant(checkout, place, turns)
            moves = {one["contender"]: one for one in counted(checkout, "--check", str(kept))["moves"]}
            for name, each in zip(CONTENDERS, turns, strict=True):
                ratio = moves[name]["ratio"]
                yield {
                    "place": place,
                    "contender": name,
                    "planted": round(each * turn / usual[name] * 100, 3),
                    "found": round((float(str(ratio)) - 1) * 100, 3) if ratio else None,
                    "flagged": moves[name]["moved"],
                    "why": moves[name]["why"],
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--percents", type=float, nargs="+", default=[0.3, 0.5, 1.0, 2.0])
    parser.add_argument("--times", type=int, default=1, help="how often each is counted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        checkout = Path(folder) / "checkout"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        for one in found_of(checkout, given.percents, given.times):
            sys.stdout.write(json.dumps(one) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
