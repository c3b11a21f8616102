"""Has each task of a locustfile's users run once, in a process of its own: this one imports no Locust."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

from bench.errors import UsageError
from bench.files import to_json
from bench.model.scenario import Locustfile, Scenario
from bench.records import Try

LIMIT_S = 30.0  # for the tasks of all users
AGAIN = 3  # rounds after one with something wrong: they show whether it is wrong each time
ANSWER_SHOWN = 400  # characters
_START_S = 30.0


def users_once(contender: str, address: tuple[str, int], scenario: Scenario, file: Locustfile) -> Try:
    """Return what the users of *file* requested, or the first request that failed, as one exchange.

    Raises UsageError if the file cannot be used.
    """
    found = _rounds(address, scenario, file)
    first, *more = found
    wrong = _wrong(first)
    status, answer = (wrong["status"], wrong["answer"]) if wrong else (None, "")
    return Try(
        contender=contender,
        exchange=scenario.name,
        request=wrong["line"] if wrong else f"{file.path}: each task of {', '.join(first['users'])} once",
        body=", ".join(f"{one['line']}: {one['status'] or 'no answer'}" for one in first["requests"]),
        status=status,
        answer=answer,
        wrong=wrong["wrong"] if wrong else "",
        right_again=sum(_wrong(one) is None for one in more),
    )


def _wrong(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first request of a round that failed, or what stopped the round, or None."""
    if failed := next((one for one in found["requests"] if one["wrong"]), None):
        return {**failed}
    users = ", ".join(found["users"])
    if found["error"]:
        return {"line": users, "status": None, "answer": "", "wrong": found["error"]}
    if not found["requests"]:
        return {"line": users, "status": None, "answer": "", "wrong": "its tasks request nothing"}
    return None


def _rounds(address: tuple[str, int], scenario: Scenario, file: Locustfile) -> Sequence[Mapping[str, Any]]:
    with TemporaryFile() as result_file:
        command = [sys.executable, "-P", "-m", "bench.load.child.tasks_once", str(result_file.fileno())]
        try:
            done = subprocess.run(
                [*command, *map(str, address), to_json(scenario).decode()],
                pass_fds=[result_file.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # of the file
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=_START_S + (1 + AGAIN) * LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            what = f"it did not end in {late.timeout:.0f} s"
            raise UsageError(f"{file.path}: {what}: shorten its tasks") from late
        result_file.seek(0)
        text = result_file.read()
    if not text:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        words = last[0] if last else "it printed nothing"
        raise UsageError(f"{file.path}: its process ended: {words}: mend it")
    result: dict[str, Any] = json.loads(text)
    if "error" in result:
        raise UsageError(result["error"])
    return list(result["rounds"])
