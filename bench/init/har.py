"""A HAR recording of a browser → the requests of one origin, in a mix by their frequency.

http://www.softwareishard.com/blog/har-12-spec/. It is read entry by entry, twice: first its origins are
counted. No cookie, token or password of the person who recorded it is written.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.errors import UsageError
from bench.files import near_miss
from bench.init.draft import CHANGE_ME, Proposal, unique
from bench.init.frequent_requests import Details, is_static, proposed
from bench.init.masks import masked, masked_json, masked_text, names_secret
from bench.init.multipart_body import multipart_of
from bench.init.paths import Outline, Shapes, shape_of
from bench.project.exchanges import FORM, JSON, METHODS, media_type

BLOCK = 1 << 20  # characters
LONGEST_ENTRY = 256 << 20  # characters
MOST_ORIGINS = 1_000
MOST_TOKENS = 5_000
LONGEST_ANSWER = 1_000_000  # characters in which a token is looked for
SHORTEST_TOKEN = 12  # characters
LONGEST_BODY = 100_000  # characters of a request

_ENTRIES = re.compile(r'"entries"\s*:\s*\[')
_SENT = ("accept", "x-requested-with", "hx-request", "hx-target")  # headers that change an answer
_APART = ("authorization", "cookie")
_STATIC_KINDS = ("image", "stylesheet", "script", "font", "media", "texttrack", "manifest")
_STATIC_MEDIA = re.compile(r"image/|font/|video/|audio/|text/css|(?:text|application)/(?:x-)?javascript")
_PASSWORD = re.compile(r"pass(?:word|wd|code|phrase)?\b|pwd|passwort|kennwort", re.IGNORECASE)
_OPERATION = re.compile(r"\b(?:query|mutation|subscription)\s+(\w+)")


def entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a recording, with the memory of one. Raises UsageError."""
    try:
        with path.open("rb") as file:
            yield from _entries(path, iter(lambda: file.read(BLOCK), b""))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _entries(path: Path, blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    decoder, text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace"), ""
    parser = json.JSONDecoder()
    more = (decoder.decode(block) for block in blocks)
    while (begin := _ENTRIES.search(text)) is None:
        block = next(more, None)
        if block is None:
            raise UsageError(f"{path}: it has no log.entries: save a HAR from the network panel of a browser")
        text = text[-BLOCK:] + block
    text, at, enough = text[begin.end() :], 0, 0
    while True:
        at = _skipped(text, at)
        if at < len(text) and text[at] == "]":
            return
        try:
            if len(text) - at < enough:
                raise ValueError
            entry, at = parser.raw_decode(text, at)
            enough = 0
        except (ValueError, RecursionError) as error:
            block = next(more, None)
            if block is None and enough:
                enough = 0
                continue
            if block is None or isinstance(error, RecursionError):
                what = "its end is missing, or an entry is damaged: save it again"
                raise UsageError(f"{path}: {what}") from error
            text, at = text[at:] + block, 0
            # A long entry is not tried again before it has doubled.
            enough = 2 * len(text) if len(text) > 2 * BLOCK else 0
            if len(text) > LONGEST_ENTRY:
                raise UsageError(
                    f"{path}: an entry has more than {LONGEST_ENTRY >> 20} MB: save it without contents"
                ) from error
            continue
        yield entry if isinstance(entry, dict) else {}


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request of a recording, as far as it is needed."""

    method: str
    origin: str
    target: str
    status: int
    headers: Mapping[str, str]
    media: str  # of its body
    text: str  # its body
    multipart: Mapping[str, Any]  # its parts, if it is multipart
    files: tuple[str, ...]  # of these: where they are expected
    sends: frozenset[str]  # names of cookies
    sets: tuple[str, ...]  # names of cookies that the answer sets
    answer: str  # text of the answer
    is_static: bool


def proposal(path: Path, host: str | None = None) -> Proposal:
    """Return the mix of the requests to *host*, the most frequent origin if None. Raises UsageError."""
    origins: Counter[str] = Counter()
    for request in _requests(path):
        if request and not request.is_static and (request.origin in origins or len(origins) < MOST_ORIGINS):
            origins[request.origin] += 1
    if not origins:
        raise UsageError(f"{path}: it has no request to a page or for data: record one")
    origin = _chosen(origins, host, path)
    found = _Recording(origin)
    for request in _requests(path):
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

    def add(self, request: _Request) -> None:
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

    def _follow_sessions(self, place: Outline, request: _Request) -> None:
        """Have a log-in save its cookie, where a later request sends it. Only its name is written."""
        for name in sorted(request.sends & self.sessions.keys()):
            if self.sessions[name] != place:
                variable = self._variable(self.sessions[name], f"cookie:{name}", "session")
                self.needs.setdefault(place, {})[variable] = None
        if request.method != "GET" and _logs_in(request):
            for name in request.sets:
                self.sessions.setdefault(name, place)

    def _remember_tokens(self, place: Outline, request: _Request) -> None:
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


def _logs_in(request: _Request) -> bool:
    """Whether a field of its body is a password."""
    if request.media == FORM:
        names = [name for name, _ in parse_qsl(request.text)]
    elif request.multipart:
        names = [*request.multipart]
    else:
        names = re.findall(r'"([^"]+)"\s*:', request.text[:LONGEST_BODY])
    return any(_PASSWORD.search(name) for name in names)


def _left_out(request: _Request) -> str:
    if request.is_static:
        return "static files"
    if request.method not in METHODS:
        return request.method if request.method.isalpha() else "no method"
    if request.status == 0:
        return "not answered (blocked, or ended by the browser)"
    if not 200 <= request.status < 400:
        return f"answered with a status of {request.status // 100}xx"
    return ""


def _sample(request: _Request) -> tuple[str, Details]:
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


def _multipart(request: _Request, headers: Mapping[str, str]) -> tuple[str, Details]:
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


def _requests(path: Path) -> Iterator[_Request | None]:
    """Yield the requests, None for an entry that is not as HAR 1.2 has it."""
    for entry in entries(path):
        try:
            yield _request(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            yield None


def _request(entry: Mapping[str, Any]) -> _Request:
    sent, answer = entry["request"], entry.get("response") or {}
    url = urlsplit(sent["url"])
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(url.scheme)
    port = f":{url.port}" if url.port else ""
    content, posted = answer.get("content") or {}, sent.get("postData") or {}
    headers = {str(one["name"]).lower(): str(one["value"]) for one in sent.get("headers") or []}
    target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
    text = content.get("text")
    content_type = str(posted.get("mimeType") or headers.get("content-type", ""))
    parts, files = multipart_of(content_type, posted) if content_type.startswith("multipart/") else ({}, ())
    return _Request(
        method=str(sent["method"]).upper(),
        origin=f"{url.scheme}://{url.hostname}{port}".lower(),
        target=target,
        status=int(answer.get("status") or 0),
        headers=headers,
        media=media_type(content_type),
        text=_posted(posted),
        multipart=parts,
        files=files,
        sends=frozenset(_cookie_names(headers.get("cookie", "").split(";"))),
        sets=tuple(
            _cookie_names(
                line
                for one in answer.get("headers") or []
                if str(one["name"]).lower() == "set-cookie"
                for line in str(one["value"]).split("\n")
            )
        ),
        answer=text if isinstance(text, str) and len(text) <= LONGEST_ANSWER else "",
        is_static=sent["method"] == "GET"
        and (
            entry.get("_resourceType") in _STATIC_KINDS
            or is_static(target)
            or _STATIC_MEDIA.match(str(content.get("mimeType") or "")) is not None
        ),
    )


def _cookie_names(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        name, equal, value = line.partition(";")[0].partition("=")
        if name.strip() and equal and value.strip():
            yield name.strip()


def _posted(posted: Mapping[str, Any]) -> str:
    if isinstance(posted.get("text"), str) and posted["text"]:
        return str(posted["text"])
    pairs = [(str(one["name"]), str(one.get("value") or "")) for one in posted.get("params") or []]
    return urlencode(pairs)
