"""Every operation of `apps/openapi.yaml`, asked by thousands of generated requests: only with `--thorough`.

What is asked, and what of an answer is looked at, is in `schemathesis.toml`. It goes through the whole
contract at once; each operation then tells what it showed of it.
"""

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from differences import differs, shown

HERE = Path(__file__).parent
CONTRACT = HERE.parent / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
TIMEOUT_S = 900
LONGEST_LINE = 4094  # bytes; what servers do with a longer request line is outside the contract

Difference = tuple[str, str]  # request, what came
Differences = dict[str, list[Difference]]  # by operation


def operations() -> Iterator[Any]:
    """Yield each operation as `GET /users/{id}`, with the mark of the part it belongs to."""
    for path, methods in yaml.safe_load(CONTRACT.read_text())["paths"].items():
        part = path.split("/")[1]
        marks = [getattr(pytest.mark, part)] if part not in ("", "health") else []
        for method in METHODS:
            if method in methods:
                yield pytest.param(f"{method.upper()} {path}", marks=marks)


@pytest.mark.destructive
@pytest.mark.parametrize("operation", [*operations()])
def test_generated_requests_are_answered_by_the_contract(found: Differences, operation: str):
    if found[operation]:
        request, got = min(found[operation], key=lambda one: len(one[0]))
        more = f" (and {len(found[operation]) - 1} more)" if len(found[operation]) > 1 else ""
        differs(request, "what openapi.yaml says", f"{got}{more}")


@pytest.fixture(scope="session")
def found(
    request: pytest.FixtureRequest,
    url: httpx.URL,
    tmp_path_factory: pytest.TempPathFactory,
    record_testsuite_property: Callable[[str, object], None],
) -> Differences:
    """Ask for every operation that is among the checks of this session."""
    checks = [item for item in request.session.items if "found" in item.fixturenames]
    asked = [check.callspec.params["operation"] for check in checks]
    scenarios = _scenarios(url, asked, tmp_path_factory.mktemp("generated"))
    answered = [
        one for scenario in scenarios for one in scenario["interactions"].values() if "response" in one
    ]
    record_testsuite_property("generated", len(answered))
    found: Differences = defaultdict(list)
    for scenario in scenarios:
        for operation, difference in _differences(scenario, str(url)):
            found[operation if operation in asked else asked[0]].append(difference)
    return found


def _scenarios(url: httpx.URL, asked: list[str], scratch: Path) -> list[dict[str, Any]]:
    """Run schemathesis over the operations *asked*; return all it sent and what it thought of the answers."""
    report = scratch / "events.ndjson"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", str(CONTRACT), "--url", str(url), "--report", "ndjson"]
    command += ["--report-ndjson-path", str(report), "--no-color"]
    command += [word for operation in asked for word in ("--include-name", operation)]
    # Nothing of the user's reaches it: no proxy, no hooks; what it keeps for a next time is in *scratch*.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHEMATHESIS_")}
    environment |= {"NO_PROXY": "*", "no_proxy": "*"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=scratch, env=environment, timeout=TIMEOUT_S
    )
    if done.returncode not in (0, 1) or not report.exists():
        differs("schemathesis", "a report", (done.stderr or done.stdout).strip().replace("\n", " ")[-400:])
    finished = (json.loads(line).get("ScenarioFinished") for line in report.open(encoding="utf-8"))
    return [one["recorder"] for one in finished if one and "interactions" in one["recorder"]]


def _differences(scenario: dict[str, Any], url: str) -> Iterator[tuple[str, Difference]]:
    """Yield the operation, the request and what came, for each answer that is not the contract's."""
    for case, interaction in scenario["interactions"].items():
        sent, answer = interaction["request"], interaction.get("response")
        line = f"{sent['method']} {sent['uri'].removeprefix(url)}"
        request = f"{shown(line.encode(), 300)} {_body(sent.get('body'), 300)}".rstrip()
        if len(f"{line} HTTP/1.1".encode()) > LONGEST_LINE:
            continue
        if answer is None:
            yield scenario["label"], (request, "no answer")
            continue
        got = f"{answer['status_code']} {_body(answer.get('content'), 100)}".rstrip()
        for check in scenario["checks"].get(case, ()):
            if check["status"] != "success":
                failure = check["failure_info"]["failure"]
                why = "; ".join([failure["title"], *filter(None, failure["message"].splitlines())])
                yield failure["operation"], (request, f"{got} ({why})")


def _body(encoded: dict[str, str] | None, limit: int) -> str:
    return shown(b64decode(encoded["$base64"]), limit) if encoded else ""
