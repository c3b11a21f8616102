"""Sends each exchange once and reports whether the answer is right.

Templates and checks are those of the load. It uses a plain socket: nothing is timed here, and Locust takes a
second to import.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from bench.files import printable
from bench.load.answers import check
from bench.load.client import HttpClient, NoAnswer
from bench.load.encodings import readable
from bench.load.mix import Mix
from bench.load.requests import Request, Saved, Template, compile_exchange
from bench.load.users_once import users_once
from bench.model.scenario import Exchange, Scenario
from bench.records import Try

LIMIT_S = 10.0  # wait for an answer, as under load
AGAIN = 3  # repeats after a wrong answer: they show whether it is wrong each time
BODY_SHOWN = 400  # characters
NOT_SHOWN = ("host", "content-length")  # headers that every request has


def requested(
    contender: str, address: tuple[str, int], scenarios: Sequence[Scenario], limit_s: float = LIMIT_S
) -> Iterator[Try]:
    """Yield the outcome of each exchange of *scenarios*: those that save values come first.

    An exchange whose value was never saved is not sent. A locustfile is one exchange. Raises UsageError if
    one can never be sent.
    """
    known: set[str] = set()
    random = Random(0)  # shared by all exchanges, so that no two create the same object
    with HttpClient(address, limit_s) as client:
        for scenario in scenarios:
            if scenario.locustfile:
                yield users_once(contender, address, scenario, scenario.locustfile)
                continue
            for one in _of_scenario(contender, client, scenario, random, known):
                known.add(one.exchange)
                yield one


def _of_scenario(
    contender: str, client: HttpClient, scenario: Scenario, random: Random, known: set[str]
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


def _right_again(contender: str, client: HttpClient, template: Template, random: Random, saved: Saved) -> int:
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


def _try(contender: str, client: HttpClient, template: Template, random: Random, saved: Saved) -> Try:
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
        answer=printable(readable(body, head.encoding) if head else body, BODY_SHOWN),
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
