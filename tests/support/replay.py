"""Requests that were generated against one app, sent again to another: both give the same answers.

What differs rightly is the id of a new user: a database leaves out ids, and no app has to hold them alike.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.support.reference_app import SEEDED

BEYOND = 10**6  # more than all ids of either app, for ids that come after the last
LONGEST_LINE = 4094  # bytes; what servers do with a longer request line is outside the contract
Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What matters of an answer. An error's words are the framework's own, and a page's spaces too."""

    status: int
    media_type: str
    location: str
    content: bytes

    @property
    def body(self) -> Any:
        """Return the parsed JSON; of an error whether it has `detail`, of what is no JSON the media type."""
        if self.media_type != "application/json":
            return self.media_type
        try:
            parsed = json.loads(self.content)
        except ValueError:
            return self.content
        return isinstance(parsed, dict) and "detail" in parsed if self.status >= 400 else parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    method: str
    target: str
    body: bytes | None
    headers: dict[str, str]
    answer: Answer


def recorded(events: Path) -> list[Exchange]:
    """Read the exchanges of a schemathesis report, in the order in which they were sent."""
    found: list[dict[str, Any]] = []
    with events.open(encoding="utf-8") as lines:
        for scenario in filter(None, (json.loads(line).get("ScenarioFinished") for line in lines)):
            found += scenario["recorder"].get("interactions", {}).values()
    exchanges = [_exchange(one) for one in sorted(found, key=lambda one: one["timestamp"])]
    return [one for one in exchanges if len(f"{one.method} {one.target} HTTP/1.1") <= LONGEST_LINE]


def _exchange(interaction: dict[str, Any]) -> Exchange:
    sent, came = interaction["request"], interaction["response"]
    headers = {name: values[0] for name, values in came["headers"].items()}
    return Exchange(
        method=sent["method"],
        target=re.sub("^http://[^/]+", "", sent["uri"]),
        body=_bytes(sent.get("body")),
        headers={name: values[0] for name, values in sent["headers"].items()},
        answer=_answer(came["status_code"], headers, _bytes(came.get("content")) or b""),
    )


def _bytes(encoded: dict[str, str] | None) -> bytes | None:
    return b64decode(encoded["$base64"]) if encoded else None


def _answer(status: int, headers: dict[str, str], content: bytes) -> Answer:
    return Answer(
        status=status,
        media_type=headers.get("content-type", "").partition(";")[0] if content else "",
        location=headers.get("location", ""),
        content=content,
    )


@dataclass(slots=True)
class Replay:
    """Sends exchanges to the app at *address*, one after another, and compares the answers."""

    address: Address
    here: dict[int, int] = field(default_factory=dict)  # by the recorded id of a new user, its id here
    back: dict[int, int] = field(default_factory=dict)

    def differences(self, exchanges: Sequence[Exchange]) -> Iterator[str]:
        connection = HTTPConnection(*self.address, timeout=10)
        for one in exchanges:
            target = re.sub("[0-9]+", self._here, one.target)
            try:
                connection.request(one.method, target, one.body, one.headers)
                response = connection.getresponse()
                headers = {name.lower(): value for name, value in response.getheaders()}
                got = _answer(response.status, headers, response.read())
            except (HTTPException, OSError) as error:
                connection.close()
                yield f"{one.method} {target}: expected an answer, got {type(error).__name__} ({error})"
                continue
            if difference := self._difference(one.answer, got):
                yield f"{one.method} {target} {(one.body or b'')[:200]!r}: {difference}"
        connection.close()

    def _difference(self, expected: Answer, got: Answer) -> str:
        if (expected.status, expected.media_type) != (got.status, got.media_type):
            return f"expected {expected.status} {expected.media_type}, got {got.status} {got.media_type}"
        wanted, body = expected.body, got.body
        if got.status == 201 and type(body) is type(wanted):
            self._learn(wanted, body)
        if wanted != (known := self._as_recorded(body)):
            return f"expected {wanted}, got {known}"
        location = re.sub("[0-9]+$", lambda number: str(self.back.get(int(number[0]))), got.location)
        return "" if expected.location == location else f"expected {expected.location}, got {location}"

    def _learn(self, wanted: Any, body: Any) -> None:
        """Note the ids of new users, which came in the same order."""
        one, other = (users if isinstance(users, list) else [users] for users in (wanted, body))
        for recorded_user, user in zip(one, other, strict=False):
            self.here[recorded_user["id"]] = user["id"]
            self.back[user["id"]] = recorded_user["id"]

    def _here(self, digits: re.Match[str]) -> str:
        """Return a number of a target as it is meant here. The app that was recorded left out no id."""
        number = int(digits[0])
        after_the_last = SEEDED < number < BEYOND and number not in self.here
        return str(BEYOND + number) if after_the_last else str(self.here.get(number, digits[0]))

    def _as_recorded(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._as_recorded(member) for member in body]
        if not isinstance(body, dict):
            return body
        known = {key: self._as_recorded(value) for key, value in body.items()}
        is_new = "title" not in body and body.get("id") in self.back  # posts have ids of their own
        return known | {"id": self.back[body["id"]]} if is_new else known
