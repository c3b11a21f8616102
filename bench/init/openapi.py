"""An OpenAPI document (3.0, 3.1) → an exchange for each GET, with parameters that its schemas allow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bench.errors import UsageError
from bench.init.draft import CHANGE_ME, Draft, Proposal, field_name, name_of
from bench.init.openapi_document import MEND, Document, Operation
from bench.init.parameters import ParameterValue, value_of

MOST_OPERATIONS = 1_000
_BRACED = re.compile(r"\{([^{}]*)\}")
_NOT_PARAMETERS = ("accept", "content-type", "authorization")  # OpenAPI 3.1, Parameter Object, name


def proposal(content: Any, name: str) -> Proposal:
    """Return the exchanges of a document, as *name* in messages. Raises UsageError."""
    document = Document.of(content, name)
    operations = list(document.operations())
    if len(operations) > MOST_OPERATIONS:
        raise UsageError(
            f"{name}: it has {len(operations):,} operations, {MOST_OPERATIONS:,} at most: "
            "leave out of a copy what need not be measured"
        )
    drafts: list[Draft] = []
    for operation in operations:
        if operation.method == "get":
            drafts.append(_draft(document, operation, {one.name for one in drafts}))
    if not drafts:
        raise UsageError(f"{name}: it has no GET: write exchanges by hand (docs/scenarios.md)")
    others = [one for one in operations if one.method != "get"]
    shown = name if "://" in name else name.rpartition("/")[2]
    version = document.content["openapi"]
    title = document.mapping(document.content.get("info", {}), "info").get("title", "an API")
    return Proposal(
        source=f"{shown}, OpenAPI {version}: {title}, {len(operations)} operations",
        drafts=tuple(drafts),
        notes=tuple(f"not translated: {one.method.upper()} {one.path}: it may write" for one in others),
        counts=False,
        apart=True,
    )


@dataclass(slots=True, eq=False)
class _FilledRequest:
    """A request while its parameters are filled in."""

    in_path: dict[str, str] = field(default_factory=dict)
    query: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    fields: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)

    def add(self, place: str, name: str, value: ParameterValue) -> None:
        if value.guess:
            self.remarks.append(f"{name}: {value.guess}")
        if value.lacks:
            self.lacks.append(value.lacks)
        if value.drawn is not None:
            named = field_name(name, self.fields)
            self.fields[named] = value.drawn
            text = f"{{{named}}}"
        else:
            text = value.text if place == "header" else quote(value.text, safe="")
        match place:
            case "path":
                self.in_path[name] = text
            case "query":
                self.query.append(f"{quote(name, safe='[]')}={text}")
            case "header":
                self.headers[name] = text
            case _:
                self.cookies.append(f"{name}={text}")


def _draft(document: Document, operation: Operation, taken: set[str]) -> Draft:
    request = _FilledRequest()
    _add_credentials(document, operation, request)
    for one in document.parameters(operation):
        place, name = one["in"], one["name"]
        if place == "header" and name.lower() in _NOT_PARAMETERS:
            continue
        if place == "path" or one.get("required") is True:
            request.add(place, name, value_of(one, document, f"{operation.where}.parameters.{name}"))
    path = _base(document) + _filled(document, operation, request.in_path)
    if request.cookies:
        request.headers["Cookie"] = "; ".join(request.cookies)
    return Draft(
        name=name_of("GET", operation.path, taken),
        request=f"GET {path}{'?' if request.query else ''}{'&'.join(request.query)}",
        headers=request.headers,
        fields=request.fields,
        status=_status(document, operation),
        remarks=tuple(request.remarks),
        lacks="; ".join(request.lacks),
    )


def _filled(document: Document, operation: Operation, values: Mapping[str, str]) -> str:
    pieces = _BRACED.split(operation.path)
    for at in range(1, len(pieces), 2):
        if pieces[at] not in values:
            raise document.wrong(operation.where, f"{{{pieces[at]}}} is no parameter of it: {MEND}")
        pieces[at] = values[pieces[at]]
    return "".join(pieces)


def _base(document: Document) -> str:
    """Return the path that the first of `servers` puts before each path."""
    servers = document.listed(document.content.get("servers", []), "servers")
    if not servers:
        return ""
    server = document.mapping(servers[0], "servers.0")
    known = document.mapping(server.get("variables", {}), "servers.0.variables")
    values = {
        name: document.mapping(one, "servers.0.variables").get("default") for name, one in known.items()
    }
    url = _BRACED.sub(lambda found: str(values.get(found[1], "")), str(server.get("url", "")))
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError as error:
        raise document.wrong("servers.0.url", f"{error}: {MEND}") from error
    return path if path.startswith("/") else ""


def _status(document: Document, operation: Operation) -> int:
    answers = document.mapping(operation.content.get("responses", {}), f"{operation.where}.responses")
    declared = sorted(str(one) for one in answers if re.fullmatch(r"2\d\d", str(one)))
    return int(declared[0]) if declared else 200


def _add_credentials(document: Document, operation: Operation, request: _FilledRequest) -> None:
    """Put a placeholder for each credential into *request*, which then lacks it."""
    where = f"{operation.where}.security"
    security = operation.content.get("security", document.content.get("security", []))
    choices = [document.mapping(one, where) for one in document.listed(security, where)]
    if not choices or not all(choices):  # an empty one: it also answers without
        return
    components = document.mapping(document.content.get("components", {}), "components")
    known = document.mapping(components.get("securitySchemes", {}), "components.securitySchemes")
    for name in choices[0]:
        if name not in known:
            raise document.wrong(where, f"{name} is none of components.securitySchemes: {MEND}")
        _add_credential(document.mapping(known[name], f"components.securitySchemes.{name}"), request)
    request.lacks.append(f"it needs {' and '.join(choices[0])}: put a credential in place of {CHANGE_ME}")


def _add_credential(scheme: Mapping[str, Any], request: _FilledRequest) -> None:
    if scheme.get("type") != "apiKey":
        basic = str(scheme.get("scheme", "")).lower() == "basic"
        request.headers["Authorization"] = f"{'Basic' if basic else 'Bearer'} {CHANGE_ME}"
        return
    place = str(scheme.get("in", "header"))
    request.add(place, str(scheme.get("name", "X-API-Key")), ParameterValue(text=CHANGE_ME))
