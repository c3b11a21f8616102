"""Cookies of one connection, kept and sent as a browser does (RFC 6265).

All requests go to one server over plain HTTP, so Domain and Secure are not looked at.
"""

import time
from dataclasses import dataclass, replace
from http import cookiejar
from itertools import count

MOST = 180  # cookies of a jar, as in browsers: the oldest make room
LONGEST = 4_096  # characters of a name and its value: a longer one is not kept
NEVER = float("inf")


@dataclass(slots=True, kw_only=True)
class _Cookie:
    name: str
    value: str
    path: str
    expires_s: float  # since the epoch
    number: int  # in order of creation


class Jar:
    """The cookies that a server has set."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str], _Cookie] = {}  # by name and path
        self._numbers = count()
        self._headers: dict[str, str] = {}  # by path of a request, while they stay the same
        self._earliest_s = NEVER  # when the first of them expires

    def copy(self) -> "Jar":
        """Return a jar that changes on its own."""
        other = Jar()
        other._cookies = {key: replace(cookie) for key, cookie in self._cookies.items()}
        other._numbers = count(max((one.number for one in self._cookies.values()), default=-1) + 1)
        other._earliest_s = self._earliest_s
        return other

    def take(self, lines: str, path: str) -> None:
        """Keep what the Set-Cookie *lines* of an answer to a request of *path* say (§5.2, §5.3)."""
        now_s = time.time()
        for line in lines.split("\n"):
            if (cookie := _parsed(line, path, now_s)) is not None:
                self._keep(cookie, now_s)

    def header(self, path: str) -> str:
        """Return the value of the Cookie header for a request of *path*, "" for none (§5.4)."""
        if self._earliest_s != NEVER and time.time() >= self._earliest_s:
            self._forget_expired(time.time())
        known = self._headers.get(path)
        if known is None:
            if len(self._headers) >= MOST:
                self._headers.clear()
            known = self._headers[path] = self._written(path.partition("?")[0])
        return known

    def _written(self, path: str) -> str:
        sent = [one for one in self._cookies.values() if _is_below(path, one.path)]
        sent.sort(key=lambda one: (-len(one.path), one.number))
        return "; ".join(f"{one.name}={one.value}" if one.name else one.value for one in sent)

    def _keep(self, cookie: _Cookie, now_s: float) -> None:
        key = cookie.name, cookie.path
        old = self._cookies.get(key)
        if old is not None and (old.value, old.expires_s) == (cookie.value, cookie.expires_s):
            return
        self._headers.clear()
        if cookie.expires_s <= now_s:
            self._cookies.pop(key, None)
        else:
            cookie.number = next(self._numbers) if old is None else old.number
            self._cookies[key] = cookie
            if len(self._cookies) > MOST:
                oldest = min(self._cookies.values(), key=lambda one: one.number)
                del self._cookies[oldest.name, oldest.path]
        self._earliest_s = min((one.expires_s for one in self._cookies.values()), default=NEVER)

    def _forget_expired(self, now_s: float) -> None:
        self._headers.clear()
        self._cookies = {key: one for key, one in self._cookies.items() if one.expires_s > now_s}
        self._earliest_s = min((one.expires_s for one in self._cookies.values()), default=NEVER)


def _parsed(line: str, path: str, now_s: float) -> _Cookie | None:
    pair, *attributes = line.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or not name or len(name) + len(value) > LONGEST:
        return None
    cookie = _Cookie(name=name, value=value, path=_folder(path), expires_s=NEVER, number=0)
    has_age = False
    for attribute in attributes:
        key, _, text = (part.strip(" \t") for part in attribute.partition("="))
        match key.lower():
            case "path":
                cookie.path = text if text.startswith("/") else _folder(path)
            case "max-age" if (seconds := _seconds(text)) is not None:
                has_age, cookie.expires_s = True, now_s + seconds if seconds > 0 else 0.0
            case "expires" if not has_age and (at_s := _time(text)) is not None:
                cookie.expires_s = at_s
    return cookie


def _seconds(text: str) -> float | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    return -1.0 if text.startswith("-") else float(digits[:15])


def _time(text: str) -> float | None:
    try:
        found: float | None = cookiejar.http2time(text[:100])  # type: ignore[attr-defined]
    except (ValueError, OverflowError):
        return None
    return found


def _folder(path: str) -> str:
    """Return the default path of a cookie (§5.1.4)."""
    path = path.partition("?")[0]
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder) and (
        len(path) == len(folder) or folder.endswith("/") or path[len(folder)] == "/"
    )
