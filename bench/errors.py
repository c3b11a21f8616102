"""The possible failures, each with the exit code of the process.

BenchError ─┬─ Broken            1  a head answers wrongly or cannot be served, and its base is right
            ├─ UsageError        2  the user named something unknown, or wrote it wrongly
            └─ CannotMeasure     3  the request is correct, but the machine or the harness fails
"""


class BenchError(Exception):
    """A failure to report in one line: what happened, then the remedy. Never shown as a traceback."""

    exit_code = 2

    def __init__(self, what: str, *, log: str = "") -> None:
        super().__init__(what)
        self.log = log


class Broken(BenchError):
    """The head of a diff is at fault, and its base is not: no further measurement is needed."""

    exit_code = 1


class UsageError(BenchError):
    """An unknown name, a malformed file, an option that does not fit."""


class CannotMeasure(BenchError):
    """Nothing (more) can be measured: a service that does not start, a check that cannot run."""

    exit_code = 3
