"""Windows of the same requests, one at a time on one connection, each answer checked: for what is counted."""

from math import inf
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

from bench.load.answers import check
from bench.load.client import HttpClient, NoAnswer
from bench.load.mix import Mix
from bench.load.requests import Request, Saved, Template
from bench.model.scenario import Scenario


class WrongAnswer(Exception):
    """An answer was not what the scenario expects, or did not come. The text names the request."""


class OutOfTime(Exception):
    """Requests would go on beyond the time that there is."""


class Deadline:
    """Until when requests may be sent (`monotonic`). It can be brought forward, from another thread too."""

    def __init__(self, until_s: float = inf) -> None:
        self.until_s = until_s

    def check(self, lasting_s: float = 0.0) -> None:
        """Raise OutOfTime if what lasts so long would end after it."""
        if monotonic() + lasting_s > self.until_s:
            raise OutOfTime


class Serial:
    """Sends the requests of a scenario to a server. Equal seeds: equal requests in equal order."""

    def __init__(
        self,
        scenario: Scenario,
        address: tuple[str, int],
        *,
        requests: int,
        seed: int,
        limit_s: float,
        deadline: Deadline | None = None,
    ) -> None:
        """*requests* of a window, without those that first save what it needs. Raises UsageError.

        *limit_s* is for an answer; nothing is sent after the *deadline*.
        """
        mix = Mix(scenario, "{}:{}".format(*address))
        self._mix = mix
        self._deck = mix.dealt(seed, requests)
        self._random = Random(seed)
        self._saved: Saved = {}
        self._client = HttpClient(address, limit_s)
        self._deadline = deadline or Deadline()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def window(self) -> int:
        """Send the requests of one window. Return how many were sent. Raises WrongAnswer, OutOfTime."""
        sent = 0
        for template in self._deck:
            due = None
            while due is not template:
                due = self._mix.sendable(template, self._saved)
                self._send(due)
                sent += 1
        return sent

    def _send(self, template: Template) -> None:
        self._deadline.check()
        request: Request = template.request(self._random, self._saved)
        try:
            head, body = self._client.answer(request)
        except NoAnswer as why:
            raise WrongAnswer(f"{request.line}: {why}") from why
        if mismatch := check(request, head, body, self._saved):
            raise WrongAnswer(f"{request.line}: {mismatch.text}")
