"""What is requested: exchanges, and how often each is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le

from bench.model.constraints import Positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Server-sent events. Event i, from 1 on, is due (i - 1) × `every_ms` after the request."""

    events: Annotated[int, Ge(1), Le(10_000)]
    every_ms: Positive
    number: str = ""  # path of an event's number in its data, which is JSON; "": only its `id`, if it has one

    @property
    def lasts_ms(self) -> float:
        return (self.events - 1) * self.every_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a verified response must show, beyond being well framed.

    `{name}` in it has the type of its value. `{name:text}` is its text.
    """

    status: int = 200
    json: Any = None  # a subset: objects by key, arrays by position; None: not checked
    items: int | Mapping[str, int] | None = None  # length of the JSON array, or of arrays by their paths
    contains: str | None = None
    unchanged: bool = False  # a 304 is correct too
    stream: Stream | None = None  # the body is events, each checked when it comes

    @property
    def lengths(self) -> Mapping[str, int]:
        """Lengths of arrays by their paths; "" is the whole answer."""
        if self.items is None:
            return {}
        return {"": self.items} if isinstance(self.items, int) else self.items


SAFE = ("GET", "HEAD", "OPTIONS")  # methods that change nothing, unless an exchange is said to write
BODILESS = (204, 304)  # statuses of answers without a body (RFC 9110 §6.4.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request template and what its response must be.

    `{name}`, `{name+1}` and `{name:text}` are filled in.
    """

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None  # sent as JSON; at most one of body, form, text and multipart
    form: Mapping[str, Any] | None = None  # sent as application/x-www-form-urlencoded
    text: str | None = None  # sent unchanged
    multipart: Mapping[str, Any] | None = None  # sent as multipart/form-data: texts, lists, files
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expect: Expect = field(default_factory=Expect)
    # Variable → JSON path (user.token), "cookie:name", "header:Name", "header:Name?" (empty where none is),
    # "css:selector@attribute", "regex:pattern" (its group, if it has one).
    save: Mapping[str, str] = field(default_factory=dict)
    consumes: str | None = None  # a saved variable that this request uses up
    needs: tuple[str, ...] = ()  # saved variables that must be there, although the request shows none of them
    writes: bool = False  # although it is a GET

    @property
    def is_bodiless(self) -> bool:
        """Whether its answer has no body, whatever its Content-Length says."""
        return self.method == "HEAD" or self.expect.status in BODILESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Locustfile:
    """A file with Locust's own users, who request what they want."""

    root: str  # the checkout that holds it; "" in run.json
    path: str  # below the root
    users: tuple[str, ...] = ()  # names of classes; empty: all of the file

    @property
    def file(self) -> Path:
        return Path(self.root) / self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Exchanges, and how often each is drawn; or a locustfile, whose one exchange names its content."""

    name: str
    exchanges: tuple[Exchange, ...]
    weights: tuple[int, ...]  # 0: only sent where another one needs what it saves
    cookies: bool = False  # each connection keeps cookies as a browser does
    about: str = ""  # its name in a sentence: "reading a user from PostgreSQL"
    locustfile: Locustfile | None = None  # its users send the requests, by Locust's own client

    @property
    def streams(self) -> tuple[Stream, ...]:
        return tuple(one.expect.stream for one in self.exchanges if one.expect.stream)

    @property
    def writes(self) -> bool:
        return any(exchange.method not in SAFE or exchange.writes for exchange in self.exchanges)
