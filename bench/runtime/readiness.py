"""Waiting for a server to be ready, and the remedy if it does not become ready."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import BadStatusLine, HTTPConnection, HTTPException, RemoteDisconnected
from urllib.parse import urlsplit

from bench.errors import CannotMeasure
from bench.model.contender import Ready
from bench.project.addresses import format_address
from bench.runtime.ports import HOST, is_free, listened, listens, reaches, sockets_of_files
from bench.runtime.servers import ProcessServer

LIMIT_S = 30.0
STEADY_S = 5.0  # an answer that stays the same for so long counts as final
POLL_S = 0.02
LOOK_S = 0.5  # how often to check where a server listens: that reads the system's table of sockets
MAY_PASS = (408, 425, 429)  # of 4xx

ENDED_WELL = "ended with exit status 0"  # as of a server that goes on in the background
TAKEN = re.compile(r"already in use|connection in use|EADDRINUSE", re.IGNORECASE)
# How programs report a missing variable: Python, pydantic-settings, Django and its helpers, shells.
UNSET = (
    re.compile(r"KeyError: ['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]"),
    re.compile(r"\d+ validation errors? for \w*(?:Settings|Config|Env)\w*", re.IGNORECASE),
    re.compile(r"environment variables?\b.*\b(?:not|missing|required|unset|must)\b", re.IGNORECASE),
    re.compile(r"\b(?:not|missing|required|must|set|define|declare)\b.*\benviron(?:ment)?\b", re.IGNORECASE),
    re.compile(r"(?P<name>[A-Z][A-Z0-9_]+) not found\. Declare it as envvar"),
    re.compile(r"(?P<name>[A-Z][A-Z0-9_]+): (?:unbound variable|parameter (?:null or )?not set)"),
    re.compile(
        r"\b(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b(?: setting)?(?: is| was)? "
        r"(?:(?:not|un)[ -]?set|missing|required|must (?:not be empty|be set))"
    ),
)


@dataclass(slots=True)
class _Probe:
    """The result of the last probe, and since when it is so."""

    what: str = "nothing answered"
    status: int | None = None
    location: str = ""
    elsewhere: tuple[str, ...] = ()  # addresses that the server listens on, none of them ours
    since_s: float = 0.0

    def now(self, other: "_Probe") -> "_Probe":
        same = (self.what, self.elsewhere) == (other.what, other.elsewhere)
        return replace(other, since_s=self.since_s) if same else other

    @property
    def is_final(self) -> bool:
        if self.status is None:
            return bool(self.elsewhere)
        return self.status < 500 and self.status not in MAY_PASS


def ready(server: ProcessServer, *, steady_s: float = STEADY_S, slower: float = 1.0) -> ProcessServer:
    """Wait until the server answers as its contender requires, and return it with that time.

    Raises CannotMeasure if it ends or is not ready in time. If waiting cannot help, it raises within seconds:
    at a 3xx or 4xx that stays, or a server that listens elsewhere (unless `ready.seconds` is set). All
    limits are *slower* times as long.
    """
    how = server.contender.ready
    limit_s = slower * (LIMIT_S if how.seconds is None else how.seconds)
    steady_s *= slower
    last, looked_s = _Probe(), 0.0
    while (passed_s := time.perf_counter() - server.child.started) < limit_s:
        if ended := server.ended():
            raise CannotMeasure(_of_the_end(server, ended))
        met = _met(server, how, timeout_s=limit_s - passed_s)
        met.since_s = passed_s = time.perf_counter() - server.child.started
        if met.status in how.status:
            return replace(server, ready_s=passed_s)
        if met.status is None and passed_s - looked_s >= LOOK_S:
            looked_s = passed_s
            server = _reached(server)
            met.elsewhere = tuple(_elsewhere(server))
        elif met.status is None:
            met.elsewhere = last.elsewhere
        last = last.now(met)
        if how.seconds is None and last.is_final and passed_s - last.since_s >= steady_s:
            break
        time.sleep(POLL_S)
    raise CannotMeasure(_of_the_limit(server, how, last, min(passed_s, limit_s)))


def _met(server: ProcessServer, how: Ready, *, timeout_s: float) -> _Probe:
    """Send the probe once, without keep-alive: a server would wait for an open connection when it stops."""
    host = {} if how.host is None else {"Host": how.host}
    try:
        with closing(HTTPConnection(*server.address, timeout=max(timeout_s, POLL_S))) as connection:
            connection.request("GET", how.path, headers={**how.headers, **host, "Connection": "close"})
            answer = connection.getresponse()
            status, location = answer.status, answer.getheader("Location") or ""
    except RemoteDisconnected:
        return _Probe(what=f"GET {how.path}: it closed the connection without an answer")
    except BadStatusLine as error:
        return _Probe(what=f"GET {how.path}: its answer is not HTTP/1.1 ({str(error)[:40]!r}; is it TLS?)")
    except TimeoutError:
        return _Probe(what=f"GET {how.path} got no answer")
    except (OSError, HTTPException):
        return _Probe()
    if not listens(server.pids(), server.address[1]):
        return _Probe(what="another process answers on its port")
    return _Probe(what=f"GET {how.path} answered {status}", status=status, location=location)


def _reached(server: ProcessServer) -> ProcessServer:
    """Return it with IPv6's address of loopback, if it listens on its port for IPv6 alone."""
    port = server.address[1]
    there = {ip for ip, known in listened(server.pids()) if known == port}
    return replace(server, address=("::1", port)) if there and there <= {"::1", "::"} else server


def _elsewhere(server: ProcessServer) -> Iterator[str]:
    found = listened(server.pids())
    if not any(reaches(address, server.address) for address in found):
        yield from dict.fromkeys(map(format_address, found))


def _of_the_end(server: ProcessServer, ended: str) -> str:
    line = server.child.telling_line()
    return (
        f"{server.contender.name} {ended} before it was ready ({line}{server.services.remedy(line)})"
        f"{_of_leaving(server, ended)}{_of_the_port(server, line)}{_of_the_environment(line)}: "
        f"see {server.child.log}"
    )


def _of_leaving(server: ProcessServer, ended: str) -> str:
    if ended != ENDED_WELL:
        return ""
    left = "its first process ended and left others that run on: start it" if server.child.left() else ""
    return f"; {left or 'a server has to stay'} in the foreground"


def _of_the_port(server: ProcessServer, line: str) -> str:
    """Return the remedy for a port that was taken. A retry gets another port."""
    if not TAKEN.search(line):
        return ""
    port = server.address[1]
    named = re.findall(r"(?<![\w.])(?:[\w.]*:|, )(\d{2,5})\b", line)
    if str(port) not in named and (named or is_free(port)):  # so the server wanted another port
        return f"; it was given port {port} and wants another: use {{host}} and {{port}} in its command"
    return f"; port {port} was taken meanwhile, run again"


def _of_the_environment(line: str) -> str:
    """Return the remedy if *line* of a log reports a missing variable of the environment."""
    for pattern in UNSET:
        if found := pattern.search(line):
            name = found.groupdict().get("name") or "what is missing"
            return f"; nothing of your shell reaches it: set {name} under env of its contender"
    return ""


def _of_the_limit(server: ProcessServer, how: Ready, last: _Probe, waited_s: float) -> str:
    line = server.child.telling_line()
    remedy = _remedy(server, how, last)
    return (
        f"{server.contender.name} was not ready within {waited_s:.0f} s: {last.what} ({line})"
        f"{_of_the_environment(line)}; {remedy}: see {server.child.log}"
    )


def _remedy(server: ProcessServer, how: Ready, last: _Probe) -> str:
    status, host = last.status, how.host or format_address(server.address)
    longer = "if it needs longer, set `ready.seconds`"
    if last.elsewhere:
        where = " and ".join(last.elsewhere[:2])
        return (
            f"it listens on {where}, not on {format_address(server.address)}, which it was given: "
            f"use {{host}} and {{port}} in its command; {longer}"
        )
    if status is None and (paths := sockets_of_files(server.pids())):
        return (
            f"it listens on no port, though on {paths[0]}, a socket that no request reaches here: "
            f"use {{host}} and {{port}} in its command; {longer}"
        )
    if status is None or status in MAY_PASS or status >= 500:
        return longer
    if status < 300:
        return f"if that is how it shows that it is up: `ready = {{ status = {status} }}`"
    if status < 400:
        return _of_a_redirect(how, last.location)
    if status in (400, 421):
        return (
            f"the probe sends Host: {host}, which it may refuse (as Django's ALLOWED_HOSTS does): "
            'allow that, or name one that it takes: `ready = { host = "…" }`'
        )
    return (
        f"GET {how.path} has to answer {_listed(how.status)} for everyone, or the probe has to be another "
        "one: `ready.path`, `ready.headers`"
    )


def _of_a_redirect(how: Ready, location: str) -> str:
    if not location:
        return "name a path that answers by itself: `ready.path`"
    to = urlsplit(location)
    if to.scheme == "https" and to.path in ("", how.path):
        return (
            f"it leads to {location}: switch that off, or let the probe claim TLS, "
            'as in `ready = { headers = { X-Forwarded-Proto = "https" } }`'
        )
    if to.hostname and to.path == how.path and to.hostname not in (HOST, "localhost"):
        return f'it leads to {location}: `ready = {{ host = "{to.netloc}" }}`'
    path = (to.path or "/") + (f"?{to.query}" if to.query else "")
    return (
        f'it leads to {location}: if it is up where that answers, `ready = {{ path = "{path}" }}`; '
        f"else GET {how.path} has to answer {_listed(how.status)} for everyone"
    )


def _listed(statuses: tuple[int, ...]) -> str:
    return " or ".join(map(str, statuses))
