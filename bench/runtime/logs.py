"""Logs of what was started: what each is called, and what it says of a failure."""

import re
from pathlib import Path

RAISED = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
GRAVE = re.compile(r"\b(?:FATAL|PANIC|CRITICAL|ERROR)\b.*$", re.MULTILINE)
WRITTEN = re.compile(r"^.*\S.*$", re.MULTILINE)
NOT_LEGIBLE = re.compile(r"[^\w.@~=-]")  # in a file's name


def log_name(name: str, number: int) -> str:
    """Return what the log of a contender's server is called."""
    return f"{NOT_LEGIBLE.sub('-', name)}-{number}.log"


def tail_of(log: Path, lines: int) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def telling_line(text: str) -> str:
    """Return the line of a log that says most about a failure: an exception before what follows it."""
    lines: list[str] = RAISED.findall(text) or GRAVE.findall(text) or WRITTEN.findall(text)
    return lines[-1].strip() if lines else "its log is empty"
