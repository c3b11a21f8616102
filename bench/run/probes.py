"""Evidence: probes beside the apps, run on contenders that answer, outside every window.

A probe is a program of `apps/evidence/` that prints its findings as JSON. This module starts it, counts the
statements of its database meanwhile, and reports why if a probe cannot run.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from bench.errors import CannotMeasure
from bench.model.claim import Inquiry
from bench.model.contender import Contender
from bench.records import Evidence
from bench.runtime import Runtime, Server

TIMEOUT_S = 60


class ProbeOutput(TypedDict):
    outcome: Literal["yes", "partly", "no", "facts"]
    shows: str
    output: str


OUTPUT = TypeAdapter(ProbeOutput)


def gather(
    inquiries: Sequence[Inquiry],
    contenders: Mapping[str, Contender],
    runtime: Runtime,
    *,
    skipped: Collection[str] = (),
) -> tuple[Evidence, ...]:
    """Return the evidence that each of *inquiries* finds of its contenders.

    Contenders not in *contenders* were *skipped*, or failed their checks. A failure here stops no
    measurement: it becomes evidence with the outcome "not looked at".
    """
    pairs = [(inquiry.topic, name) for inquiry in inquiries for name in inquiry.contenders]
    probed = {name: contenders[name] for _, name in pairs if name in contenders}
    why = dict.fromkeys(skipped, "it cannot be served here")
    try:
        with runtime.serve(list(probed.values()), hash_seed=0, timed=False) as servers:
            return tuple(
                _looked(topic, servers[name])
                if name in servers
                else _not_looked_at(name, topic, why.get(name, "it failed its checks"))
                for topic, name in pairs
            )
    except CannotMeasure as error:
        return tuple(_not_looked_at(name, topic, f"not all servers start: {error}") for topic, name in pairs)


def _looked(topic: str, server: Server) -> Evidence:
    try:
        before = Counter(server.statements())
        found = _probed(topic, server)
        statements = dict(Counter(server.statements()) - before)
    except (CannotMeasure, subprocess.SubprocessError, ValueError) as error:
        return _not_looked_at(server.contender.name, topic, str(error))
    started = f"\nfirst 200 after its start, beside all others: {server.ready_s:.2f} s"
    return Evidence(
        contender=server.contender.name,
        topic=topic,
        outcome=found["outcome"],
        shows=found["shows"],
        output=found["output"] + (started if topic == "learning-curve" else ""),
        statements=statements,
    )


def _probed(topic: str, server: Server) -> ProbeOutput:
    """Return the output of the probe. Raises CalledProcessError, TimeoutExpired or ValueError."""
    contender = server.contender
    apps = Path(contender.root) / "apps"
    host, port = server.address
    command = [sys.executable, str(apps / "evidence"), topic, "--url", f"http://{host}:{port}"]
    command += ["--app", str(contender.place)]
    if server.packages:
        command += ["--packages", str(server.packages)]
    command += ["--environment", *(f"{name}={value}" for name, value in contender.env.items())]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it printed nothing"]
        raise ValueError(f"the probe ended with {done.returncode}: {lines[-1]}")
    return OUTPUT.validate_json(done.stdout)  # pydantic's ValidationError is a ValueError


def _not_looked_at(contender: str, topic: str, why: str) -> Evidence:
    return Evidence(contender=contender, topic=topic, outcome="not looked at", shows=f"Not looked at: {why}.")
