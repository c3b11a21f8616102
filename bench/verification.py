"""Holding contenders against the contract: pytest files beside the apps, run against a URL.

A pass is remembered under everything that decides it: app, lock, command, schema, checks, Python.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

from bench.documents import read_json, to_json, write_atomically
from bench.errors import CannotMeasure
from bench.model import Contender
from bench.records import Verification
from bench.runtime import Runtime

TIMEOUT_S = 180
THOROUGH_TIMEOUT_S = 1200


def verify(
    contenders: Iterable[Contender],
    runtime: Runtime,
    memory: Path,
    *,
    fresh: bool = False,
    thorough: bool = False,
) -> Iterator[Verification]:
    """Yield the outcome for each of *contenders*, each on a server of its own, as it becomes known.

    *memory* is the folder of remembered passes; *fresh* does not look there; *thorough* sends generated
    requests as well. Raises CannotMeasure where a server does not start or the checks themselves are broken.
    """
    for contender in contenders:
        if not _checks(contender).is_dir():
            yield Verification(contender=contender.name, outcome="no checks")
            continue
        remembered = memory / f"{content_key(contender, thorough=thorough)}.json"
        if remembered.exists() and not fresh:
            known = read_json(remembered, Verification)
            yield replace(known, contender=contender.name, remembered=True)
            continue
        with runtime.serve([contender], hash_seed=0) as servers:
            host, port = servers[contender.name].address
            outcome = _run_checks(contender, f"http://{host}:{port}", thorough=thorough)
        if outcome.outcome == "passed":
            memory.mkdir(parents=True, exist_ok=True)
            write_atomically(remembered, to_json(outcome))
        yield outcome


def content_key(contender: Contender, *, thorough: bool = False) -> str:
    """Return a hash of everything that decides whether *contender* passes, its name apart."""
    apps = Path(contender.root) / "apps"
    facts = asdict(contender) | {"name": "", "root": "", "stack": ""}
    digest = hashlib.sha256(repr([sys.version, thorough, sorted(facts.items())]).encode())
    files = [*(apps / contender.app).rglob("*"), *_checks(contender).rglob("*")]
    files += [*apps.glob("*.sql"), *apps.glob("*.yaml")]
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(apps)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:24]


def _checks(contender: Contender) -> Path:
    return Path(contender.root) / "apps" / "checks"


def _run_checks(contender: Contender, url: str, *, thorough: bool) -> Verification:
    timeout_s = THOROUGH_TIMEOUT_S if thorough else TIMEOUT_S
    with tempfile.TemporaryDirectory(prefix="bench-checks-") as scratch:
        report = Path(scratch) / "checks.xml"
        command = [*_command(contender, url, thorough=thorough), "--junitxml", str(report)]
        command += ["--basetemp", str(Path(scratch) / "pytest")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise CannotMeasure(
                f"{contender.name}: the checks took more than {timeout_s} s: see whether it answers at all "
                f"with `bench verify {contender.name}`"
            ) from error
        if done.returncode not in (0, 1) or not report.exists():
            raise CannotMeasure(f"apps/checks is broken: {_complaint(done.stdout + done.stderr)}")
        return _read_report(contender, report)


def _command(contender: Contender, url: str, *, thorough: bool) -> list[str]:
    checks = _checks(contender)
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(checks / "pytest.ini"), str(checks)]
    command += ["--url", url, "-p", "no:cacheprovider"]
    if contender.scenarios is not None:
        command += ["--scenarios", ",".join(contender.scenarios)]
    return [*command, "--thorough"] if thorough else command


def _read_report(contender: Contender, report: Path) -> Verification:
    root = ElementTree.parse(report).getroot()
    cases = root.findall(".//testcase")
    generated = root.findall(".//property[@name='generated']")
    wrong = [
        f"{case.get('name')}: {_first_line(mark.get('message', ''))}"
        for case in cases
        for mark in (*case.findall("failure"), *case.findall("error"))
    ]
    return Verification(
        contender=contender.name,
        outcome="failed" if wrong else "passed",
        checks=len(cases),
        differences=tuple(wrong),
        generated=sum(int(one.get("value", 0)) for one in generated),
    )


def _complaint(output: str) -> str:
    """Return the line in which pytest says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    raised = (line.removeprefix("E ").strip() for line in lines if line.startswith("E "))
    told = (line for line in lines if "rror" in line)
    return next(raised, None) or next(told, None) or "pytest said nothing of it"


def _first_line(message: str) -> str:
    return re.sub(r"^(AssertionError|Failed): ", "", message.strip()).partition("\n")[0]
