"""Contenders checked against the contract: pytest files beside the apps, run against a URL.

A pass is cached under everything that decides it: all that the server can read, command, checks, Python.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

from bench.errors import CannotMeasure
from bench.files import read_json, to_json, write_atomically
from bench.model.contender import Contender
from bench.project.inventory import inventory
from bench.records import Verification
from bench.runtime import Runtime, Server
from bench.runtime.children import telling_line

TOGETHER = 6  # contenders whose servers and checks run at the same time: those of plan quick
TIMEOUT_S = 300
THOROUGH_TIMEOUT_S = 3600
PLUGIN = "bench.run.check_options"  # by name: this process needs no pytest
NO_TESTS = 5  # pytest's exit status if there was no test
SETTINGS = ("pytest.ini", "pytest.toml", ".pytest.ini")  # pytest's own, in its order of precedence
ENDED = "its server did not outlive the checks"
OUTPUT, REPORT = "output.txt", "checks.xml"  # in the folder of each contender


def verify(
    contenders: Sequence[Contender],
    runtime: Runtime,
    memory: Path,
    *,
    fresh: bool = False,
    thorough: bool = False,
) -> Iterator[Verification]:
    """Yield the outcome of each of *contenders* in their order. Several are checked at the same time.

    A contender that *runtime* lacks something for is skipped. Each other has its own server. Contenders with
    the same content share one outcome. *memory* is the folder of cached passes. *fresh* ignores that folder,
    and also starts contenders without checks. *thorough* sends generated requests as well. Raises
    CannotMeasure if a server does not start, a service dies, or the checks themselves are broken.
    """
    held = [one for one in servable(contenders, runtime) if _checks(one).is_dir()]
    keys = content_keys(held, thorough=thorough)
    for first in range(0, len(contenders), TOGETHER):
        together = contenders[first : first + TOGETHER]
        files = {one.name: memory / f"{keys[one.name]}.json" for one in together if one.name in keys}
        unknown: dict[Path, Contender] = {}
        for one in together:
            if (file := files.get(one.name)) and (fresh or not file.exists()):
                unknown.setdefault(file, one)
        bare = [one for one in servable(together, runtime) if fresh and one.name not in files]
        outcomes = _hold(list(unknown.values()), bare, runtime, thorough=thorough) if unknown or bare else []
        found = dict(zip(unknown, outcomes, strict=True))
        _remember(found)
        for one in together:
            lacking = runtime.lacks(one)
            yield _skipped(one, lacking) if lacking else _outcome(one, files.get(one.name), found)


def servable(contenders: Sequence[Contender], runtime: Runtime) -> list[Contender]:
    return [one for one in contenders if not runtime.lacks(one)]


def content_keys(contenders: Sequence[Contender], *, thorough: bool = False) -> dict[str, str]:
    """Return by name a hash of everything, except the name, that decides whether a contender passes.

    That is all that its server can read of its project.
    """
    inventories = {root: inventory(Path(root)) for root in {one.root for one in contenders}}
    keys = {}
    for one in contenders:
        facts = asdict(one) | {"name": "", "root": "", "stack": ""}
        digest = hashlib.sha256(repr([sys.version, thorough, sorted(facts.items())]).encode())
        digest.update(inventories[one.root].read_by(one.app, with_checks=True).encode())
        keys[one.name] = digest.hexdigest()[:24]
    return keys


def _checks(contender: Contender) -> Path:
    return Path(contender.root) / "apps" / "checks"


def _remember(found: Mapping[Path, Verification]) -> None:
    for file, outcome in found.items():
        if outcome.outcome == "passed":
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, to_json(outcome))


def _skipped(contender: Contender, lacking: str) -> Verification:
    return Verification(contender=contender.name, outcome="skipped", differences=(lacking,))


def _outcome(contender: Contender, file: Path | None, found: Mapping[Path, Verification]) -> Verification:
    if file is None:
        return Verification(contender=contender.name, outcome="no checks")
    known = found.get(file) or read_json(file, Verification)
    checked_now = file in found and known.contender == contender.name
    return replace(known, contender=contender.name, remembered=not checked_now)


def _hold(
    contenders: Sequence[Contender], bare: Sequence[Contender], runtime: Runtime, *, thorough: bool
) -> list[Verification]:
    """Run the checks of *contenders*, all at once: a check mostly waits for its server.

    Contenders in *bare* have no checks. They only have to start.
    """
    timeout_s = THOROUGH_TIMEOUT_S if thorough else TIMEOUT_S
    with (
        tempfile.TemporaryDirectory(prefix="bench-checks-") as scratch,
        runtime.serve([*contenders, *bare], hash_seed=0, timed=False) as servers,
        ExitStack() as running,
    ):
        deadline = time.monotonic() + timeout_s
        started = []
        for number, contender in enumerate(contenders):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            host, port = servers[contender.name].address
            command = _command(contender, f"http://{host}:{port}", folder, thorough=thorough)
            started.append((contender, folder, running.enter_context(_running(command, folder))))
        outcomes = [_finished(*one, deadline=deadline, timeout_s=timeout_s) for one in started]
        runtime.check()  # a service that has died makes a contender fail without its fault
        return [_with_end(outcome, servers[outcome.contender]) for outcome in outcomes]


def reason(failed: Verification) -> str:
    return ENDED if failed.differences[0].startswith(ENDED) else "unlike the contract"


def by_reason(outcomes: Sequence[Verification]) -> str:
    """Return who failed, by reason; "" where none did."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.outcome == "failed":
            found.setdefault(reason(outcome), []).append(outcome.contender)
    return "; ".join(f"{why}: {', '.join(names)}" for why, names in found.items())


def _with_end(outcome: Verification, server: Server) -> Verification:
    """Return *outcome*.

    If the *server* has ended, it is failed, with that first: the rest follows from it.
    """
    if not (how := server.ended()):
        return outcome
    why = f"{ENDED}: {how} ({telling_line(server.log_tail())})"
    return replace(outcome, outcome="failed", differences=(why, *outcome.differences))


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* with its output in a file in *folder*. On exit, end it and all that it started."""
    with (folder / OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _finished(
    contender: Contender, folder: Path, process: subprocess.Popen[bytes], *, deadline: float, timeout_s: int
) -> Verification:
    try:
        status = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise CannotMeasure(
            f"{contender.name}: the checks took more than {timeout_s} s: see whether it answers at all "
            f"with `bench verify {contender.name}`"
        ) from error
    report = folder / REPORT
    if status == NO_TESTS:
        return Verification(contender=contender.name, outcome="no checks")
    if status not in (0, 1) or not report.exists():
        output = (folder / OUTPUT).read_text(errors="replace")
        raise CannotMeasure(f"apps/checks is broken: {_complaint(output)}")
    return _read_report(contender, report)


def _command(contender: Contender, url: str, folder: Path, *, thorough: bool) -> list[str]:
    checks = _checks(contender)
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(_settings(checks, folder)), str(checks)]
    command += ["--rootdir", str(checks), "--confcutdir", str(checks), "-p", PLUGIN]
    command += [f"--url={url}", "-p", "no:cacheprovider"]
    command += ["--junitxml", str(folder / REPORT), "--basetemp", str(folder / "pytest")]
    if contender.scenarios is not None:
        command += [f"--scenarios={','.join(contender.scenarios)}"]
    if not contender.keep_alive:
        command += ["--no-keep-alive"]
    return [*command, "--thorough"] if thorough else command


def _settings(checks: Path, folder: Path) -> Path:
    """Return the settings of *checks*, or our own in *folder*; never those of a project around them."""
    own = [name for name in SETTINGS if (checks / name).is_file()]
    if own:
        return checks / own[0]
    ours = folder / SETTINGS[0]
    ours.write_text("[pytest]\naddopts = --tb=short\n")
    return ours


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
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    raised = (line.removeprefix("E ").strip() for line in lines if line.startswith("E "))
    errors = (line for line in lines if "rror" in line)
    return next(raised, None) or next(errors, None) or "pytest gave no reason"


def _first_line(message: str) -> str:
    return re.sub(r"^(AssertionError|Failed): ", "", message.strip()).partition("\n")[0]
