"""Sends each exchange once and reports whether the answer is right.

Templates and checks are those of the load. It uses a plain socket: nothing is timed here, and Locust takes a
second to import.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from time import monotonic

from bench.files import printable
from bench.load.answers import check
from bench.load.mix import Mix
from bench.load.requests import Request, Saved, Template, compile_exchange
from bench.load.responses import Head, Heads, Incoming, Malformed, TooLarge
from bench.load.users_once import users_once
from bench.model import Exchange, Scenario
from bench.records import Try

LIMIT_S = 10.0  # wait for an answer, as under load
AGAIN = 3  # repeats after a wrong answer: they show whether it is wrong each time
READ_BYTES = 1 << 20
BODY_SHOWN = 400  # characters
NOT_SHOWN = ("host", "content-length")  # headers that every request has


class NoAnswer(Exception):
    """No complete answer was received. The text says how the wait ended."""

    def __init__(self, how: str, *, ended: bool = False) -> None:
        """*ended*: the connection ended before any byte of the answer."""
        super().__init__(how)
        self.ended = ended


def requested(
    contender: str, address: tuple[str, int], scenarios: Sequence[Scenario], limit_s: float = LIMIT_S
) -> Iterator[Try]:
    """Yield the outcome of each exchange of *scenarios*: those that save values come first.

    An exchange whose value was never saved is not sent. A locustfile is one exchange. Raises UsageError if
    one can never be sent.
    """
    known: set[str] = set()
    random = Random(0)  # shared by all exchanges, so that no two create the same object
    with _Client(address, limit_s) as client:
        for scenario in scenarios:
            if scenario.locustfile:
                yield users_once(contender, address, scenario, scenario.locustfile)
                continue
            for one in _of_scenario(contender, client, scenario, random, known):
                known.add(one.exchange)
                yield one


def _of_scenario(
    contender: str, client: "_Client", scenario: Scenario, random: Random, known: set[str]
) -> Iterator[Try]:
    host = "{}:{}".format(*client.address)
    Mix(scenario, host)  # refuses variables that nothing saves
    templates = [
        compile_exchange(exchange, host, cookies=scenario.cookies) for exchange in scenario.exchanges
    ]
    savers = {variable: one for one in templates for variable in one.exchange.save}
    saved: Saved = {}
    failed: set[str] = set()  # exchanges that saved nothing
    for template in sorted(templates, key=lambda one: len(one.needs)):
        if template.exchange.name in known:
            continue
        due = None
        while due is not template:
            due = _sendable(template, savers, saved)
            if due.exchange.name in failed:
                yield _unsent(contender, template.exchange, due.exchange)
                break
            done = _try(contender, client, due, random, saved)
            if done.wrong and done.status is not None:
                done = replace(done, right_again=_right_again(contender, client, due, random, saved))
            if done.wrong and not done.right_again:
                failed.add(done.exchange)
            if done.wrong or done.exchange not in known:
                yield done


def _right_again(contender: str, client: "_Client", template: Template, random: Random, saved: Saved) -> int:
    """Return how many repeats after a wrong answer are answered rightly.

    None is sent without the values that it needs.
    """
    more = (
        _try(contender, client, template, random, saved)
        for _ in range(AGAIN)
        if template.missing(saved) is None
    )
    return sum(not one.wrong for one in more)


def _sendable(template: Template, savers: dict[str, Template], saved: Saved) -> Template:
    """Return *template*, or the template that must first save what it needs."""
    while (variable := template.missing(saved)) is not None:
        template = savers[variable]
    return template


def _try(contender: str, client: "_Client", template: Template, random: Random, saved: Saved) -> Try:
    request = template.request(random, saved)
    head, body, wrong = None, b"", ""
    try:
        head, body = client.answer(request)
    except NoAnswer as why:
        wrong = str(why)
    if head and (mismatch := check(request, head, body, saved)):
        wrong = mismatch.text.partition(", got ")[0]
    return Try(
        contender=contender,
        exchange=template.exchange.name,
        request=request.line,
        headers=_headers(request),
        body=printable(request.payload.partition(b"\r\n\r\n")[2], BODY_SHOWN),
        status=head.status if head else None,
        answer=printable(body, BODY_SHOWN),
        wrong=wrong,
    )


def _unsent(contender: str, exchange: Exchange, saver: Exchange) -> Try:
    return Try(
        contender=contender,
        exchange=exchange.name,
        request=f"{exchange.method} {exchange.path}",
        wrong=f"not sent: {saver.name} did not save what it needs",
        sent=False,
    )


def _headers(request: Request) -> dict[str, str]:
    head = request.payload.partition(b"\r\n\r\n")[0].decode(errors="replace")
    fields = (line.partition(": ") for line in head.split("\r\n")[1:])
    return {name: printable(value) for name, _, value in fields if name.lower() not in NOT_SHOWN}


class _Client:
    """One connection, reopened if the server has ended it."""

    def __init__(self, address: tuple[str, int], limit_s: float) -> None:
        self.address = address
        self._limit_s = limit_s
        self._heads = Heads()
        self._socket: socket.socket | None = None

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *about: object) -> None:
        self._close()

    def answer(self, request: Request) -> tuple[Head, bytes]:
        """Return the answer to *request*. Raises NoAnswer."""
        kept = self._socket is not None
        try:
            return self._answer(request)
        except NoAnswer as why:
            self._close()
            if not (kept and why.ended):
                raise
        # A server may close an idle connection. Only the result on a fresh one counts.
        try:
            return self._answer(request)
        except NoAnswer:
            self._close()
            raise

    def _answer(self, request: Request) -> tuple[Head, bytes]:
        ends, incoming = monotonic() + self._limit_s, Incoming(self._heads)
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self.address, timeout=self._limit_s)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(self._limit_s)
            self._socket.sendall(request.payload)
            while monotonic() < ends:
                self._socket.settimeout(max(0.001, ends - monotonic()))
                piece = self._socket.recv(READ_BYTES)
                if (found := incoming.take(piece, ended=not piece)) is not None:
                    if not piece or not found[0].keep_alive:
                        self._close()
                    return found
                if not piece:
                    came = incoming.came_bytes
                    raise NoAnswer(f"connection closed after {came:,} bytes", ended=not came)
            raise TimeoutError
        except TooLarge as error:
            raise NoAnswer(str(error)) from error
        except Malformed as error:
            raise NoAnswer(f"malformed {printable(str(error))}") from error
        except TimeoutError as error:
            if not incoming.came_bytes:
                raise NoAnswer(f"no answer within {self._limit_s:g} s") from error
            raise NoAnswer(f"{incoming.so_far()} and did not end within {self._limit_s:g} s") from error
        except OSError as error:
            what, came = (error.strerror or str(error)).lower(), incoming.came_bytes
            so_far = f" after {came:,} bytes" if came else ""
            ended = isinstance(error, ConnectionError) and not came
            raise NoAnswer(f"no answer: {what}{so_far}", ended=ended) from error

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None
