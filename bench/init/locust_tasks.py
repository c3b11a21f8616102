"""The requests that a task of a locustfile sends, read from its syntax tree."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from bench.init.draft import unique
from bench.init.python_values import (
    AnswerPart,
    Drawn,
    Fields,
    Unknown,
    drawn_from,
    source_of,
    value_of,
)
from bench.init.sent_request import Sent, target_of
from bench.project.exchanges import METHODS

_WITHIN = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DEEPEST = 5  # methods that call methods
MOST_REQUESTS = 500  # of a task
_VERBS = {one.lower() for one in METHODS}
_IGNORED = ("name", "catch_response", "timeout", "verify", "stream", "allow_redirects", "context", "cert")


@dataclass(slots=True, eq=False)
class Shared:
    """What the methods of a user class share: values of `self`, headers of its client, names of variables."""

    methods: Mapping[str, ast.FunctionDef] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    saved: list[str] = field(default_factory=list)  # of all classes of the file
    remarks: list[tuple[int, str]] = field(default_factory=list)  # line, what is not translated
    lost: list[tuple[int, float]] = field(default_factory=list)  # line of a request, how often it is left out


def requests_of(function: ast.FunctionDef, shared: Shared) -> list[Sent]:
    """Return the requests that *function* sends. What is not translated goes to the remarks of *shared*."""
    reader = _Reader(shared, dict(shared.scope), (function.name,))
    reader.block(function.body, 1.0)
    return reader.sent


@dataclass(slots=True, eq=False)
class _Reader:
    shared: Shared
    scope: dict[str, Any]
    within: tuple[str, ...]  # names of the methods that call each other, down to this one
    sent: list[Sent] = field(default_factory=list)
    _answered: dict[int, Sent] = field(default_factory=dict)  # by the identity of its answer

    def block(self, body: Sequence[ast.stmt], often: float) -> None:
        for statement in body:
            self._statement(statement, often)

    def _statement(self, node: ast.stmt, often: float) -> None:
        match node:
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                self._expression(value, often)
            case ast.Assign(targets=[target], value=value):
                self._assign(target, self._expression(value, often))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, self._expression(value, often))
            case ast.With(items=items, body=body):
                for item in items:
                    answer = self._expression(item.context_expr, often)
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, answer)
                self.block(body, often)
            case ast.For(target=ast.Name(id=name)):
                self._loop(node, name, often)
            case ast.Try(body=body):
                self.block(body, often)
                self._skipped([*node.handlers, *node.orelse], often, "what follows an error")
                self.block(node.finalbody, often)
            case ast.Raise():
                self._remark(node, f"`{source_of(node)}`: {_EXPECT}")
            case ast.If(test=test) | ast.Assert(test=test) if self._expects(test, node):
                return
            case ast.Assert():
                self._remark(node, f"`{source_of(node)}`: {_EXPECT}")
            case _:
                self._skipped([node], often, f"`{source_of(node).partition(':')[0]}`")

    def _expects(self, test: ast.expr, node: ast.stmt) -> bool:
        """Take over the status that a check of an answer wants. False: *node* is no such check."""
        match test:
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id=name), attr="status_code"),
                ops=[ast.Eq() | ast.NotEq() as compared],
                comparators=[ast.Constant(value=int() as status)],
            ):
                sent = self._answered.get(id(self.scope.get(name)))
            case _:
                return False
        bad = isinstance(compared, ast.NotEq)
        right = node.orelse if bad and isinstance(node, ast.If) else getattr(node, "body", [])
        wrong = node.body if bad and isinstance(node, ast.If) else getattr(node, "orelse", [])
        fails = isinstance(node, ast.Assert) or any(map(_fails, wrong))
        if sent is None or not fails or any(_verb(one) for each in [*right, *wrong] for one in _calls(each)):
            return False
        if isinstance(node, ast.Assert) and bad:
            return False
        sent.status = status
        self.block(right, 1.0)
        return True

    def _loop(self, node: ast.For, name: str, often: float) -> None:
        iterated = node.iter
        try:
            values = value_of(iterated, self.scope)
            if not isinstance(values, list) or not values:
                raise Unknown(source_of(iterated))
            self.scope[name] = values[0] if len(values) == 1 else drawn_from(values, name)
        except Unknown:
            self._skipped([node], often, f"a loop over {source_of(iterated)}")
            return
        self.block(node.body, often * len(values))

    def _skipped(self, nodes: Sequence[ast.AST], often: float, what: str) -> None:
        """Note the requests below *nodes*, which are not translated. What they assign is unknown then."""
        for node in nodes:
            for call in ast.walk(node):
                if isinstance(call, ast.Name) and isinstance(call.ctx, ast.Store):
                    self.scope.pop(call.id, None)
                elif isinstance(call, ast.Call) and _verb(call):
                    self._lost(call, often, f"{what} decides whether it is sent")
                elif isinstance(call, ast.Attribute) and call.attr == "failure":
                    self._remark(call, f"its own check of an answer: {_EXPECT}")

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self._keep(name, name, value, self.scope)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                self._keep(f"self.{name}", name, value, self.scope)
                self._keep(f"self.{name}", name, value, self.shared.scope)
            case ast.Subscript(value=ast.Attribute(attr="headers", value=owner), slice=ast.Constant(key)):
                if _is_client(owner):
                    self._default_headers(target, {key: value})

    def _keep(self, key: str, name: str, value: Any, scope: dict[str, Any]) -> None:
        if value is None:
            scope.pop(key, None)
        elif isinstance(value, Drawn) and not value.name:
            scope[key] = Drawn(value.generator, name)
        elif isinstance(value, AnswerPart) and value.path:
            scope[key] = AnswerPart(value.save, value.path, name)
        else:
            scope[key] = value

    def _expression(self, node: ast.expr, often: float) -> Any:
        """Return the value of *node*, after its requests; None if it is unknown."""
        self._skipped([one for one in ast.walk(node) if isinstance(one, _WITHIN)], often, "a function within")
        for call in _calls(node):
            if _verb(call):
                self.scope[_key(call)] = self._request(call, often)
            else:
                self._other(call, often)
        try:
            return value_of(_Known(self.scope).visit(deepcopy(node)), self.scope)
        except Unknown:
            return None

    def _other(self, call: ast.Call, often: float) -> None:
        match call.func:
            case ast.Attribute(value=ast.Attribute(attr="headers") as owner, attr="update") if _is_client(
                owner.value
            ):
                try:
                    self._default_headers(call, value_of(call.args[0], self.scope) if call.args else None)
                except Unknown:
                    self._default_headers(call, None)
            case ast.Attribute(value=ast.Name(id="time" | "gevent"), attr="sleep") | ast.Name(id="sleep"):
                self._remark(call, "it sleeps: bench sends the next request at once")
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in self.shared.methods:
                self._method(call, name, often)
            case ast.Attribute(attr="failure"):
                self._remark(call, f"its own check of an answer: {_EXPECT}")
            case ast.Attribute(value=ast.Name(id="requests" | "httpx"), attr=name) if name in _VERBS:
                self._lost(call, often, f"{source_of(call.func)} is another client")

    def _method(self, call: ast.Call, name: str, often: float) -> None:
        method = self.shared.methods[name]
        if name in self.within or len(self.within) == DEEPEST or len(self.sent) > MOST_REQUESTS:
            self._remark(call, f"`{source_of(call)}` is left out: too many methods call each other")
            return
        parameters = [one.arg for one in method.args.args[1:]]
        inner = _Reader(self.shared, dict(self.shared.scope), (*self.within, name), self.sent)
        given = [*zip(parameters, call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]
        for parameter, node in given:
            try:
                inner.scope[str(parameter)] = value_of(node, self.scope)
            except Unknown:
                continue
        inner.block(method.body, often)

    def _default_headers(self, node: ast.AST, headers: Any) -> None:
        fields = Fields()
        try:
            if not isinstance(headers, Mapping):
                raise Unknown("headers")
            self.shared.headers |= {str(name): fields.text(value) for name, value in headers.items()}
            if fields.generators:
                raise Unknown("random headers")
        except Unknown:
            self._remark(node, f"`{source_of(node)}`: headers of all requests: write them into each exchange")

    def _request(self, call: ast.Call, often: float) -> AnswerPart | None:
        try:
            sent = self._translated(call, often)
        except Unknown as error:
            self._lost(call, often, f"`{error}` cannot be translated")
            return None
        self.sent.append(sent)

        def save(place: str, name: str) -> str:
            for known, where in sent.save.items():
                if where == place:
                    return known
            variable = unique(name or "saved", self.shared.saved, "_")
            self.shared.saved.append(variable)
            sent.save[variable] = place
            return variable

        answer = AnswerPart(save)
        self._answered[id(answer)] = sent
        return answer

    def _translated(self, call: ast.Call, often: float) -> Sent:
        keywords = {one.arg: one.value for one in call.keywords}
        if None in keywords:
            raise Unknown("**" + source_of(call.keywords[-1].value))
        positional = list(call.args)
        method = _verb(call)
        if method in ("request", "rest"):
            first = positional.pop(0) if positional else keywords.pop("method", None)
            method = str(value_of(first, self.scope)) if first else ""
        where = positional.pop(0) if positional else keywords.pop("url", keywords.pop("path", None))
        if where is None or method.upper() not in METHODS:
            raise Unknown(source_of(call.func))
        if method in ("post", "put", "patch") and positional:
            keywords["data"] = positional.pop(0)
        fields = Fields()
        target = target_of(value_of(where, self.scope), fields)
        sent = Sent(call.lineno, method.upper(), target, often=often, fields=fields)
        self._add(sent, {str(name): node for name, node in keywords.items()})
        sent.headers = {**self.shared.headers, **sent.headers}
        return sent

    def _add(self, sent: Sent, keywords: Mapping[str, ast.expr]) -> None:
        for name, node in keywords.items():
            if name == "name":
                known = value_of(node, self.scope) if _constant(node) else ""
                sent.named = str(known or "")
            elif name in _IGNORED:
                continue
            elif name == "files":
                sent.lacks = "it uploads files: write its body (docs/scenarios.md)"
            else:
                sent.add(name, value_of(node, self.scope))

    def _lost(self, node: ast.Call, often: float, why: str) -> None:
        self.shared.lost.append((node.lineno, often))
        self._remark(node, f"`{source_of(node)}` is left out: {why}")

    def _remark(self, node: ast.AST, what: str) -> None:
        self.shared.remarks.append((getattr(node, "lineno", 0), what))


_EXPECT = "write it as `expect` of the exchange"


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in *node*, inner ones first, as Python makes them. Functions within are not called."""
    if isinstance(node, _WITHIN):
        return
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)
    if isinstance(node, ast.Call):
        yield node


def _fails(node: ast.stmt) -> bool:
    """Whether *node* marks an answer as a failure."""
    return isinstance(node, ast.Raise) or any(
        isinstance(one, ast.Attribute) and one.attr == "failure" for one in ast.walk(node)
    )


def _is_client(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "client"


def _verb(call: ast.Call) -> str:
    """Return "get" for self.client.get(…), "" for a call that sends nothing."""
    match call.func:
        case ast.Attribute(value=owner, attr=name) if _is_client(owner) and name in (*_VERBS, "request"):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr="rest"):
            return "rest"
    return ""


def _constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def _key(call: ast.Call) -> str:
    return f"answer {call.lineno}:{call.col_offset}"


class _Known(ast.NodeTransformer):
    """Puts the answers of requests in place of their calls."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _verb(node):
            return (
                ast.Name(id=_key(node), ctx=ast.Load()) if self._scope.get(_key(node)) else ast.Constant(None)
            )
        return self.generic_visit(node)
