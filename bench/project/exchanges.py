"""An exchange as a project declares it: its keys, held to what can be sent and checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from bench.model.scenario import BODILESS, Exchange, Expect
from bench.project.fields import MOST_NUMBERS, RandomField, is_one
from bench.project.saves import MISSING, PAGE, at_path, is_source, place_of
from bench.project.uploads import are_parts

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HOW_TO_NAME = "a name has letters of A to Z, digits and _, as in {userId} or {id+1}"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # the name of a header, RFC 9110 §5.6.2
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = ("content-length", "transfer-encoding")
LONGEST_STREAM_MS = 10_000.0


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_request(request: str) -> str:
    method, _, path = request.partition(" ")
    if method not in METHODS or not path.startswith("/"):
        raise ValueError(f'write it as "GET /path", one of {METHODS}')
    return request


def _is_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{{{name}}} cannot be written: {HOW_TO_NAME}")
    return name


def _are_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header: write letters, digits and -")
        if name.lower() in _OURS:
            raise ValueError(name, "it follows from the body: leave it out")
        if _NOT_IN_A_HEADER.search(value):
            raise ValueError(name, "a header is one line of text: leave control characters out")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice: leave one of them")
    return headers


def _is_of_a_form(value: Any) -> Any:
    if not all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value])):
        raise ValueError("a text, a number, true or false, or a list of these")
    return value


def _can_be_written_out(bounds: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= bounds[1] - bounds[0] < MOST_NUMBERS:
        raise ValueError(f"{[*bounds]}: the lower bound first, {MOST_NUMBERS:,} numbers at most")
    return bounds


def _counts_items(expect: Any) -> Any:
    items = expect.get("items") if isinstance(expect, dict) else None
    counts = items.values() if isinstance(items, dict) else [items]
    if items is not None and not all(type(count) is int for count in counts):
        how = 'write a number, or numbers by quoted paths: { "data.results" = 20 }'
        raise ValueError("items", how)
    return expect


Name = Annotated[str, AfterValidator(_is_name)]


@dataclass(frozen=True, kw_only=True)
class WrittenExchange:
    """One table below [exchanges]. *each*: the one item of a list that names {it} is repeated so often."""

    request: Annotated[str, AfterValidator(_is_request)]
    headers: Annotated[dict[str, str], AfterValidator(_are_headers)] = field(default_factory=dict)
    body: Any = None
    form: dict[str, Annotated[Any, AfterValidator(_is_of_a_form)]] | None = None
    text: str | None = None
    multipart: Annotated[dict[str, Any], AfterValidator(are_parts)] | None = None
    fields: dict[Name, Annotated[RandomField, AfterValidator(is_one)]] = field(default_factory=dict)
    expect: Annotated[Expect, BeforeValidator(_counts_items)] = field(default_factory=Expect)
    save: dict[Name, Annotated[str, AfterValidator(is_source)]] = field(default_factory=dict)
    consumes: Name | None = None
    each: dict[Name, Annotated[tuple[int, int], AfterValidator(_can_be_written_out)]] = field(
        default_factory=dict
    )
    needs: tuple[Name, ...] = ()
    writes: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Return this with its lists written out, and a body that is text as text."""
        given = [key for key in ("body", "form", "text", "multipart") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: a request has one body, leave one of them")
        written = self
        for counter, (first, last) in self.each.items():
            written = written._with_list(counter, range(first, last + 1))
        method = written.request.partition(" ")[0]
        _check_expected(method, written.expect)
        _check_page(method, written.expect, written.save)
        _check_stream(method, written.expect, written.save)
        _check_json(written.body, "body")
        _check_json(written.expect.json, "expect", "json")
        named = {name.lower(): value for name, value in self.headers.items()}.get("content-type")
        media = media_type(named or "")
        if self.form is not None and named is not None and media != FORM:
            raise ValueError("form", f"it is sent as {FORM}, but Content-Type says {media}: leave that out")
        if self.multipart is not None and named is not None:
            raise ValueError("multipart", "its Content-Type follows from it: leave that header out")
        if self.body is None or named is None or media == JSON or media.endswith("+json"):
            return written
        if not isinstance(self.body, str):
            raise ValueError(
                "body",
                f"it is sent as JSON, but Content-Type says {media}: "
                'write form = { name = value } or text = "…" instead',
            )
        return replace(written, body=None, text=self.body)

    def _with_list(self, counter: str, numbers: range) -> Self:
        lists = {"body": self.body, "form": self.form, "json": self.expect.json}
        written = _written_out(lists, f"{{{counter}}}", numbers)
        if written == lists:
            hint = "write it there, or leave it out"
            raise ValueError("each", counter, f"no list of one item has {{{counter}}} in it: {hint}")
        expect = replace(self.expect, json=written["json"])
        return replace(self, body=written["body"], form=written["form"], expect=expect)

    def named(self, name: str) -> Exchange:
        method, _, path = self.request.partition(" ")
        kept = {key: value for key, value in vars(self).items() if key not in ("request", "each")}
        return Exchange(name=name, method=method, path=path, **kept)


def _check_json(content: Any, *place: str) -> None:
    try:
        json.dumps(content, allow_nan=False)
    except ValueError as error:
        raise ValueError(*place, "JSON knows neither nan nor inf: write a number") from error


def _bodiless(method: str, expect: Expect) -> str:
    """Return which answer has no body, "" if it has one."""
    if method == "HEAD":
        return "an answer to HEAD"
    return f"an answer with status {expect.status}" if expect.status in BODILESS else ""


def _check_expected(method: str, expect: Expect) -> None:
    status, wanted = expect.status, expect.json
    if not 200 <= status <= 599:
        raise ValueError("expect", "status", f"{status}: answers have one from 200 to 599")
    for key in ("json", "items", "contains"):
        if getattr(expect, key) is not None and (why := _bodiless(method, expect)):
            raise ValueError("expect", key, f"{why} has no body: leave it out")
    for path, count in expect.lengths.items():
        place = ("items", path) if path else ("items",)
        if count < 0:
            raise ValueError("expect", *place, f"{count}: a list has 0 or more")
        if path and not all(path.split(".")):
            raise ValueError("expect", *place, 'it is no path of keys: write "data.results"')
        listed = at_path(path, wanted) if path else wanted
        if listed is MISSING or (listed is None and not path):
            continue
        if not isinstance(listed, list):
            words = "it is the length of an array, but json is none: write a list"
            raise ValueError("expect", *place, words if not path else words.replace("json", "json there"))
        if len(listed) > count:
            raise ValueError(
                "expect", *place, f"{count}, but json shows {len(listed)}: write as many or more"
            )


def _check_stream(method: str, expect: Expect, save: Mapping[str, str]) -> None:
    if (stream := expect.stream) is None:
        return
    for key in ("json", "items", "contains"):
        if getattr(expect, key) is not None:
            raise ValueError("expect", key, "events are checked one by one: name the path of their number")
    if save:
        raise ValueError("save", "nothing is saved from a stream of events: let another request save it")
    if _bodiless(method, expect) or expect.unchanged:
        raise ValueError("expect", "stream", "an answer without a body has no events: leave one of them out")
    if stream.lasts_ms > LONGEST_STREAM_MS:
        lasts = f"it lasts {stream.lasts_ms / 1000:g} s, {LONGEST_STREAM_MS / 1000:g} s at most"
        raise ValueError("expect", "stream", f"{lasts}: fewer events, or a shorter every_ms")


def _check_page(method: str, expect: Expect, save: Mapping[str, str]) -> None:
    """Check that an answer is not read both as a page and as JSON. Raises ValueError."""
    places = {variable: place_of(source)[0] for variable, source in save.items()}
    is_json = expect.json is not None or expect.items is not None or "json" in places.values()
    for variable, place in places.items():
        if place in PAGE and is_json:
            words = f"{place} finds values in a page, but this answer is read as JSON: write a path of keys"
            raise ValueError("save", variable, words)
        if place in (*PAGE, "json") and (why := _bodiless(method, expect)):
            raise ValueError("save", variable, f"{why} has no body: save it elsewhere")


def _written_out(node: Any, counter: str, numbers: range) -> Any:
    """Return *node* with each list of one item that contains *counter* repeated for each of *numbers*."""
    if isinstance(node, Mapping):
        return {key: _written_out(value, counter, numbers) for key, value in node.items()}
    if isinstance(node, list) and len(node) == 1 and counter in repr(node):
        return [_counted(node[0], counter, str(number)) for number in numbers]
    return node


def _counted(node: Any, counter: str, number: str) -> Any:
    if isinstance(node, str):
        return node.replace(counter, number)
    if isinstance(node, Mapping):
        return {key: _counted(value, counter, number) for key, value in node.items()}
    return [_counted(part, counter, number) for part in node] if isinstance(node, list) else node
