"""A request of a HAR recording, with what its answer shows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.init.frequent_requests import is_static
from bench.init.har_entries import entries
from bench.init.multipart_body import multipart_of
from bench.project.exchanges import media_type

LONGEST_ANSWER = 1_000_000  # characters in which a token is looked for
_STATIC_KINDS = ("image", "stylesheet", "script", "font", "media", "texttrack", "manifest")
_STATIC_MEDIA = re.compile(r"image/|font/|video/|audio/|text/css|(?:text|application)/(?:x-)?javascript")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
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


def recorded_requests(path: Path) -> Iterator[RecordedRequest | None]:
    """Yield the requests, None for an entry that is not as HAR 1.2 has it."""
    for entry in entries(path):
        try:
            yield _request(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            yield None


def _request(entry: Mapping[str, Any]) -> RecordedRequest:
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
    return RecordedRequest(
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
