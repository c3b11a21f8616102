"""Requests counted by the shape of their path: /users/17 and /users/18 are both /users/{id}.

The memory for it has a bound, however many requests there are.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from bench.init.draft import CHANGE_ME, field_name
from bench.init.masks import is_secret, masked, names_secret

MOST_SHAPES = 5_000
MOST_ROWS = 2_000  # combinations of values that a shape keeps
MOST_VALUES = 50  # written into a file
SIBLINGS = 20  # more names than these at one place of a path are values of one exchange
RARE = 0.02  # of all requests; a name with more is no value among others
LONGEST_TARGET = 2_000  # characters

WHOLE = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
_VALUE = re.compile(
    r"\d+|\d{4}-\d\d-\d\d"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # a UUID
    r"|(?=[a-f]*\d)[0-9a-f]{16,}",
    re.ASCII,
)

_SHORT = 8  # characters; /session/17 names no secret

Part = str | None  # None: a value stands here
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """The shape of a request: its method, the parts of its path, the names in its query, its kind of body."""

    method: str
    parts: tuple[Part, ...]
    query: tuple[str, ...] = ()
    kind: str = ""


@dataclass(slots=True, eq=False)
class Shape:
    """All requests of one place. *sample*: what else the first of them had."""

    place: Outline
    sample: Any = None
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    rows: Counter[Row] = field(default_factory=Counter)  # values of the path that came together
    query: tuple[Counter[str], ...] = ()  # values of each name
    is_whole: bool = True  # False: more values than were kept

    def add(self, row: Row, query: Row, status: int) -> None:
        self.requests += 1
        self.statuses[status] += 1
        self._count(self.rows, row, 1)
        for counted, value in zip(self.query, query, strict=True):
            self._count(counted, value, 1)

    def take(self, other: "Shape", at: int, name: str) -> None:
        """Count the requests of *other* too. *name* is one more value of the path, before value *at*."""
        self.requests += other.requests
        self.statuses += other.statuses
        self.is_whole = self.is_whole and other.is_whole
        for row, requests in other.rows.items():
            self._count(self.rows, (*row[:at], name, *row[at:]), requests)
        for counted, others in zip(self.query, other.query, strict=True):
            for value, requests in others.items():
                self._count(counted, value, requests)

    def _count(self, counted: "Counter[Any]", value: Row | str, requests: int) -> None:
        if value in counted or len(counted) < MOST_ROWS:
            counted[value] += requests
        else:
            self.is_whole = False

    @property
    def status(self) -> int:
        return self.statuses.most_common(1)[0][0]


@dataclass(slots=True, eq=False)
class Shapes:
    """Counts requests by their shape. *beyond*: requests of shapes that found no room."""

    beyond: int = 0
    _known: dict[Outline, Shape] = field(default_factory=dict)

    def add(self, method: str, target: str, status: int, *, kind: str = "", sample: Any = None) -> None:
        """Count a request of *target*: path and query as they were sent."""
        place, row, query = shape_of(method, target[:LONGEST_TARGET], kind)
        shape = self._known.get(place)
        if shape is None:
            if len(self._known) == MOST_SHAPES:
                self.beyond += 1
                return
            shape = self._known[place] = _empty(place, sample)
        shape.add(row, query, status)

    def by_frequency(self) -> list[Shape]:
        folded = list(self._known.values())
        for at in range(max((len(one.place.parts) for one in folded), default=0)):
            folded = list(_siblings_folded(folded, at))
        return sorted(folded, key=lambda one: (-one.requests, str(one.place)))


def _empty(place: Outline, sample: Any) -> Shape:
    return Shape(place, sample, query=tuple(Counter() for _ in place.query))


def shape_of(method: str, target: str, kind: str = "") -> tuple[Outline, Row, Row]:
    """Return the place of a request, and the values of its path and query. Secrets are masked."""
    path, _, query = target.partition("#")[0].partition("?")
    given = path.removeprefix("/").split("/")
    parts: list[Part] = []
    values: list[str] = []
    for before, part in zip(["", *given], given, strict=False):
        is_value = _VALUE.fullmatch(part) is not None
        if is_secret(part) or (is_value and names_secret(before) and len(part) > _SHORT):
            parts.append(CHANGE_ME)
        elif is_value:
            parts.append(None)
            values.append(part)
        else:
            parts.append(part)
    pairs = [one.partition("=") for one in query.split("&") if one]
    query_values = tuple(masked(unquote_plus(one), unquote_plus(value)) for one, _, value in pairs)
    return Outline(method, tuple(parts), tuple(one for one, _, _ in pairs), kind), tuple(values), query_values


def _siblings_folded(shapes: Sequence[Shape], at: int) -> Iterator[Shape]:
    """Yield *shapes*, with those that differ only in a rare name at *at* as one."""
    total = sum(one.requests for one in shapes)
    alike: dict[object, list[Shape]] = {}
    for one in shapes:
        parts = one.place.parts
        rare = at < len(parts) and parts[at] and one.requests < RARE * total
        rest = (one.place.method, parts[:at], parts[at + 1 :], one.place.query, one.place.kind, one.status)
        alike.setdefault(rest if rare else id(one), []).append(one)
    for group in alike.values():
        if len(group) > SIBLINGS:
            yield _as_one(group, at)
        else:
            yield from group


def _as_one(group: Sequence[Shape], at: int) -> Shape:
    first = max(group, key=lambda one: one.requests)
    parts = first.place.parts
    place = Outline(
        first.place.method, (*parts[:at], None, *parts[at + 1 :]), first.place.query, first.place.kind
    )
    whole = _empty(place, first.sample)
    before = parts[:at].count(None)
    for one in sorted(group, key=lambda one: -one.requests):
        whole.take(one, before, unquote(str(one.place.parts[at])))
    return whole


@dataclass(frozen=True, slots=True)
class FilledTarget:
    """A shape as the target of a request, with its fields and what was guessed."""

    target: str
    fields: Mapping[str, Mapping[str, Any]]
    remarks: tuple[str, ...]


def written(shape: Shape, avoid: Collection[str] = ()) -> FilledTarget:
    """Return *shape* as a request, with no field named as one of *avoid*.

    Values in a path that came together only stay together.
    """
    rows, remarks = _kept_together(shape.rows)
    fields: dict[str, Mapping[str, Any]] = {}
    texts: list[str] = []
    for name, counts in zip(_names(shape.place), [*_columns(rows), *shape.query], strict=True):
        if len(counts) == 1:
            value = next(iter(counts))
            texts.append(quote(value, safe=":,@!$'()*~-._"))
            continue
        found, remark = generator(counts, is_whole=shape.is_whole)
        named = field_name(name, {*fields, *avoid})
        fields[named] = found
        texts.append(f"{{{named}}}")
        remarks += [f"{{{named}}}: {remark}"] if remark else []
    values = iter(texts)
    path = "/".join(next(values) if part is None else _escaped(part) for part in shape.place.parts)
    query = "&".join(f"{_escaped(name)}={next(values)}" for name in shape.place.query)
    return FilledTarget(f"/{path}{'?' if query else ''}{query}", fields, tuple(remarks))


def _columns(rows: Mapping[Row, int]) -> list[Counter[str]]:
    columns: list[Counter[str]] = [Counter() for _ in next(iter(rows), ())]
    for row, requests in rows.items():
        for column, value in zip(columns, row, strict=True):
            column[value] += requests
    return columns


def _kept_together(rows: Mapping[Row, int]) -> tuple[Mapping[Row, int], list[str]]:
    columns = list(zip(*rows, strict=True))
    varying = [at for at, column in enumerate(columns) if len(set(column)) > 1]
    product = 1
    for at in varying:
        product *= len(set(columns[at]))
    if len(varying) < 2 or len(rows) >= 0.9 * product:
        return rows, []
    free = max(varying, key=lambda at: len(set(columns[at])))  # the one with the most values

    def others(path: Row) -> Row:
        return path[:free] + path[free + 1 :]

    most: Counter[Row] = Counter()
    for row, requests in rows.items():
        most[others(row)] += requests
    fixed = most.most_common(1)[0][0]
    kept = {row: requests for row, requests in rows.items() if others(row) == fixed}
    words = "values of this path belong together, so all but one are fixed"
    return kept, [f"{words}: {len(kept):,} of {len(rows):,} paths"]


def generator(counts: Counter[str], *, is_whole: bool = True) -> tuple[Mapping[str, Any], str]:
    """Return a field that draws values like those in *counts*, and what to know about it."""
    numbers = [int(one) for one in counts if WHOLE.fullmatch(one)]
    if len(numbers) == len(counts) > 2:
        low, high = min(numbers), max(numbers)
        if len(numbers) == high - low + 1:
            return {"integer": [low, high]}, _uneven(counts, len(counts))
        if len(numbers) > SIBLINGS and 2 * len(numbers) > high - low:
            words = (
                f"{len(numbers):,} of the {high - low + 1:,} numbers from {low} to {high} are in the source"
            )
            return {"integer": [low, high]}, words
    common = [one for one, _ in counts.most_common(MOST_VALUES)]
    values = sorted(map(int, common)) if len(numbers) == len(counts) else common
    remarks = []
    if len(counts) > MOST_VALUES:
        more = "" if is_whole else " or more"
        remarks.append(f"the {MOST_VALUES} most frequent of {len(counts):,}{more} values")
    return {"values": values}, "; ".join(filter(None, [*remarks, _uneven(counts, len(common))]))


def _uneven(counts: Counter[str], values: int) -> str:
    first, most = counts.most_common(1)[0]
    if most * values <= 3 * counts.total():
        return ""
    return f"drawn evenly, but in the source {first} has {most / counts.total():.0%}"


def _names(place: Outline) -> Iterable[str]:
    values = place.parts.count(None)
    for at, part in enumerate(place.parts):
        if part is None:
            before = place.parts[at - 1] if at else None
            yield "id" if values == 1 or not before else f"{_singular(before)}_id"
    yield from place.query


def _singular(noun: str) -> str:
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def _escaped(text: str) -> str:
    return text.replace("{", "%7B").replace("}", "%7D").replace(" ", "%20")
