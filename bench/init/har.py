"""A HAR recording of a browser → the requests of one origin, in a mix by their frequency.

It is read twice: first its origins are counted. No cookie, token or password of the person who recorded it
is written.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bench.errors import UsageError
from bench.files import near_miss
from bench.init.draft import CHANGE_ME, Proposal, unique
from bench.init.frequent_requests import Details, proposed
from bench.init.masks import masked, masked_json, masked_text, names_secret
from bench.init.paths import Outline, Shapes, shape_of
from bench.init.recorded_request import RecordedRequest, recorded_requests
from bench.project.exchanges import FORM, JSON, METHODS

MOST_ORIGINS = 1_000
MOST_TOKENS = 5_000
SHORTEST_TOKEN = 12  # characters
LONGEST_BODY = 100_000  # characters of a request

_SENT = ("accept", "x-requested-with", "hx-request", "hx-target")  # headers that change an answer
_APART = ("authorization", "cookie")
_PASSWORD = re.compile(r"pass(?:word|wd|code|phrase)?\b|pwd|passwort|kennwort", re.IGNORECASE)
_OPERATION = re.compile(r"\b(?:query|mutation|subscription)\s+(\w+)")


def proposal(path: Path, host: str | None = None) -> Proposal:
    """Return the mix of the requests to *host*, the most frequent origin if None. Raises UsageError."""
    origins: Counter[str] = Counter()
    for request in recorded_requests(path):
        if request and not request.is_static and (request.origin in origins or len(origins) < MOST_ORIGINS):
            origins[request.origin] += 1
    if not origins:
        raise UsageError(f"{path}: it has no request to a page or for data: record one")
    origin = _chosen(origins, host, path)
    found = _Recording(origin)
    for request in recorded_requests(path):
        if request is None:
            found.no_requests += 1
        else:
            found.add(request)
    source = f"{path.name}, a HAR: {found.requests:,} requests to {origin}"
    return proposed(
        source,
        found.kept,
        found.left_out,
        name=str(path),
        notes=found.notes(origins),
        saves=found.saves,
        needs=found.needs,
    )


def _chosen(origins: Counter[str], host: str | None, path: Path) -> str:
    if host is None:
        return origins.most_common(1)[0][0]
    wanted = host.lower().removesuffix("/")
    for origin, _ in origins.most_common():
        if wanted in (origin, origin.partition("//")[2], urlsplit(origin).hostname):
            return origin
    raise UsageError(f"--host {host}: {path} has no request to it{near_miss(wanted, sorted(origins))}")


@dataclass(slots=True, eq=False)
class _Recording:
    """The requests of one origin while they are read."""

    origin: str
    requests: int = 0
    kept: Shapes = field(default_factory=Shapes)
    left_out: Counter[str] = field(default_factory=Counter)
    cookies: int = 0
    no_requests: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, tuple[Outline, str]] = field(default_factory=dict)  # where an answer had a token
    saves: dict[Outline, dict[str, str]] = field(default_factory=dict)
    sessions: dict[str, Outline] = field(default_factory=dict)  # cookie → the log-in that sets it
    needs: dict[Outline, dict[str, None]] = field(default_factory=dict)  # variables that it must have

    def add(self, request: RecordedRequest) -> None:
        if request.origin != self.origin:
            if request.origin in self.elsewhere or len(self.elsewhere) < MOST_ORIGINS:
                self.elsewhere[request.origin] += 1
            return
        self.requests += 1
        if what := _left_out(request):
            self.left_out[what] += 1
            return
        self.cookies += "cookie" in request.headers
        kind, sample = _sample(request)
        sample = self._with_credentials(sample, request.headers.get("authorization", ""))
        status = 200 if request.status == 304 else request.status
        self.kept.add(request.method, request.target, status, kind=kind, sample=sample)
        place = shape_of(request.method, request.target, kind)[0]
        self._follow_sessions(place, request)
        self._remember_tokens(place, request)

    def _follow_sessions(self, place: Outline, request: RecordedRequest) -> None:
        """Have a log-in save its cookie, where a later request sends it. Only its name is written."""
        for name in sorted(request.sends & self.sessions.keys()):
            if self.sessions[name] != place:
                variable = self._variable(self.sessions[name], f"cookie:{name}", "session")
                self.needs.setdefault(place, {})[variable] = None
        if request.method != "GET" and _logs_in(request):
            for name in request.sets:
                self.sessions.setdefault(name, place)

    def _remember_tokens(self, place: Outline, request: RecordedRequest) -> None:
        if request.method == "GET" or not request.answer.startswith("{"):
            return
        try:
            content = json.loads(request.answer)
        except (ValueError, RecursionError):
            return
        for token, where in _texts(content):
            if len(self.tokens) < MOST_TOKENS:
                self.tokens[token] = (place, where)

    def _with_credentials(self, sample: Details, authorization: str) -> Details:
        """Return *sample* with the token that an answer before had, or with a placeholder for it."""
        if not authorization:
            return sample
        scheme, _, secret = authorization.rpartition(" ")
        value = f"{{{self._saved(secret)}}}" if secret in self.tokens else CHANGE_ME
        before = f"{scheme} " if scheme.isalpha() else ""
        return replace(sample, headers={**sample.headers, "Authorization": before + value})

    def _saved(self, token: str) -> str:
        """Return the variable that the answer with *token* saves it in."""
        return self._variable(*self.tokens[token], "saved_token")

    def _variable(self, place: Outline, where: str, called: str) -> str:
        names = self.saves.setdefault(place, {})
        for name, one in names.items():
            if one == where:
                return name
        name = unique(called, [one for each in self.saves.values() for one in each], "_")
        names[name] = where
        return name

    def notes(self, origins: Counter[str]) -> list[str]:
        notes = [
            f"other origin: {origin}: requests: {count:,}, without static files: {origins[origin]:,}"
            for origin, count in self.elsewhere.most_common(10)
        ]
        if rest := len(self.elsewhere) - len(notes):
            notes.append(f"and {rest:,} more origins")
        if notes:
            notes.append("--host takes another origin")
        if self.needs:
            notes.append(
                "requests that sent the cookie of a log-in need it: each connection logs in first and keeps "
                "its cookies; save a token that a hidden field of the form has, too (docs/scenarios.md)"
            )
        elif self.cookies:
            notes.append(
                f"{self.cookies:,} requests sent a cookie: none is written, a cookie is a person's secret; "
                "where they need a session, add an exchange that logs in (docs/scenarios.md)"
            )
        if self.no_requests:
            notes.append(f"entries that are no request over HTTP: {self.no_requests:,}")
        return notes


def _logs_in(request: RecordedRequest) -> bool:
    """Whether a field of its body is a password."""
    if request.media == FORM:
        names = [name for name, _ in parse_qsl(request.text)]
    elif request.multipart:
        names = [*request.multipart]
    else:
        names = re.findall(r'"([^"]+)"\s*:', request.text[:LONGEST_BODY])
    return any(_PASSWORD.search(name) for name in names)


def _left_out(request: RecordedRequest) -> str:
    if request.is_static:
        return "static files"
    if request.method not in METHODS:
        return request.method if request.method.isalpha() else "no method"
    if request.status == 0:
        return "not answered (blocked, or ended by the browser)"
    if not 200 <= request.status < 400:
        return f"answered with a status of {request.status // 100}xx"
    return ""


def _sample(request: RecordedRequest) -> tuple[str, Details]:
    """Return the kind of its body, which tells requests of one path apart, and the sample."""
    headers = {
        name.title(): CHANGE_ME if names_secret(name) else masked_text(value)
        for name, value in request.headers.items()
        if value and value != "*/*" and (name in _SENT or (names_secret(name) and name not in _APART))
    }
    text, media = request.text, request.media
    if media.startswith("multipart/"):
        return _multipart(request, headers)
    if not text or request.method == "GET":
        return "", Details(headers=headers)
    if len(text) > LONGEST_BODY:
        return "", Details(headers=headers, lacks=f"its body has {len(text):,} characters: write one")
    if media == FORM:
        return _form(text, headers)
    if media == JSON or media.endswith("+json"):
        return _json(text, media, headers)
    return "", Details(headers={**headers, "Content-Type": media or "text/plain"}, text=masked_text(text))


def _multipart(request: RecordedRequest, headers: Mapping[str, str]) -> tuple[str, Details]:
    kind, lacks = ",".join(sorted(request.multipart))[:200], ""
    if not request.multipart:
        lacks = "its body is multipart, and not in the recording: write it (docs/scenarios.md)"
    elif request.files:
        lacks = f"a recording has no files: put {' and '.join(request.files)} there, then uncomment it"
    return kind, Details(headers=headers, multipart=request.multipart or None, lacks=lacks)


def _form(text: str, headers: Mapping[str, str]) -> tuple[str, Details]:
    form: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        one = masked(name, value)
        if name not in form:
            form[name] = one
        else:
            form[name] = [*form[name], one] if isinstance(form[name], list) else [form[name], one]
    return ",".join(sorted(form))[:200], Details(headers=headers, form=form)


def _json(text: str, media: str, headers: Mapping[str, str]) -> tuple[str, Details]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "", Details(headers=headers, lacks=f"its body is no {media}: write one")
    operation, kind = "", ""
    if isinstance(content, dict):
        named = _OPERATION.search(content["query"]) if isinstance(content.get("query"), str) else None
        operation = str(content.get("operationName") or (named[1] if named else ""))
        kind = operation or ",".join(sorted(content))[:200]
    typed = headers if media == JSON else {**headers, "Content-Type": media}
    return kind, Details(headers=typed, body=masked_json(content), operation=operation)


def _texts(node: Any, where: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield texts in *node* that are long enough for a token, each with its path."""
    if isinstance(node, str) and len(node) >= SHORTEST_TOKEN:
        yield node, where.removeprefix(".")
    elif isinstance(node, dict) and depth < 4:
        for key, value in node.items():
            if key and "." not in key:
                yield from _texts(value, f"{where}.{key}", depth + 1)
