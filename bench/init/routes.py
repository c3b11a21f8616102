"""The GET routes of a web application, found in its source: of Django, Flask, and what is made like them."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.init import litestar_routes
from bench.init.checkout import Checkout, argument, assignments, calls, constant, dotted, last
from bench.init.draft import Draft, field_name, name_of
from bench.init.routers import Routers, text_of
from bench.init.web_app import WebApp, module_of

MOST = 60
HEALTH = re.compile(r"(?:^|/)_?(?:health\w*|livez?|liveness|readyz?|readiness|heartbeat|ping|up)/?$", re.I)

_DECORATORS = ("route", "get", "api_route")
_PREFIXES = {"Blueprint": "url_prefix", "APIRouter": "prefix"}
_PARAMETER = re.compile(
    r"<(?:(?P<flask>\w+)(?:\([^>]*\))?:)?(?P<name>\w+)>|\{(?P<name2>\w+)(?::(?P<kind>\w+))?\}"
)
_GENERATORS: Mapping[str, Mapping[str, object]] = {"int": {"integer": [1, 100]}, "uuid": {"uuid": True}}
_LOGGED_IN = ("login_required", "auth_required", "jwt_required", "permission_required", "token_required")
_SCALARS = ("str", "int", "float", "bool", "UUID", "date", "datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    path: str
    file: str
    line: int
    lacks: str = ""
    status: int = 200


def drafts(files: Checkout, app: WebApp, settings: Mapping[str, ast.expr]) -> list[Draft]:
    """Return the GETs of *app*: those that can be sent first, a health check before the others."""
    found = _of_django(files, app, settings) if app.framework == "django" else _of_modules(files, app)
    unique = {one.path: one for one in reversed(found)}
    order = list(unique.values())[::-1]
    order.sort(key=lambda one: (bool(one.lacks), not HEALTH.search(one.path)))
    taken: set[str] = set()
    result = []
    for one in order[:MOST]:
        draft = _draft(one, taken)
        taken.add(draft.name)
        result.append(draft)
    return result


def _draft(route: Route, taken: set[str]) -> Draft:
    fields: dict[str, Mapping[str, object]] = {}

    def placed(found: "re.Match[str]") -> str:
        name = field_name(found["name"] or found["name2"], fields)
        fields[name] = _GENERATORS.get(found["flask"] or found["kind"] or "", {"values": ["CHANGE-ME"]})
        return f"{{{name}}}"

    path = _PARAMETER.sub(placed, route.path)
    lacks = route.lacks
    if fields:
        values = f"give {' and '.join(fields)} values that exist, then add it to the mix"
        lacks = f"{lacks}; {values}" if lacks else values
    return Draft(
        name=name_of("GET", path, taken),
        request=f"GET {path}",
        fields=fields,
        status=route.status,
        lacks=lacks,
        origin=f"found in {route.file}, line {route.line}",
    )


def _of_modules(files: Checkout, app: WebApp) -> list[Route]:
    routers = Routers()
    own = [path for path in files.below(app.folder) if path.endswith(".py")]
    modules = {path: module_of(path, app.folder)[0] for path in own}
    constants = dict(_texts_of(files, own))
    trees = {path: tree for path in own if (tree := files.tree(path))}
    for path, tree in trees.items():
        routers.note_imports(tree, modules[path], path.endswith("/__init__.py"))
        for name, value in assignments(tree):
            if isinstance(value, ast.Call) and (key := _PREFIXES.get(last(value.func))):
                routers.own[f"{modules[path]}.{name}"] = text_of(argument(value, key), constants) or ""
    for path, tree in trees.items():
        _note_included(routers, tree, modules[path], constants)
        _note_restful(routers, tree, modules[path], constants)
        litestar_routes.note(routers, tree, modules[path], constants)
    silent = {name for tree in trees.values() for name in _without_get(tree)}
    return [
        route
        for path, tree in trees.items()
        for route in _of_module(routers, tree, modules[path], path, silent)
    ]


def _texts_of(files: Checkout, paths: list[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        if tree := files.tree(path):
            for name, value in assignments(tree):
                if name.isupper() and isinstance(text := constant(value), str):
                    yield name, text


def _note_included(routers: Routers, tree: ast.Module, module: str, constants: Mapping[str, str]) -> None:
    for call in calls(tree):
        if last(call.func) not in ("include_router", "register_blueprint") or not call.args:
            continue
        assert isinstance(call.func, ast.Attribute | ast.Name)
        parent = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        child = routers.known(routers.resolved(module, dotted(call.args[0])))
        key = "prefix" if last(call.func) == "include_router" else "url_prefix"
        prefix = text_of(argument(call, key), constants)
        if key == "url_prefix" and argument(call, key) is not None:
            routers.own[child] = ""  # Flask: it takes the place of the blueprint's own
        routers.included.setdefault(child, (routers.known(f"{module}.{parent}"), prefix))


def _note_restful(routers: Routers, tree: ast.Module, module: str, constants: Mapping[str, str]) -> None:
    """Note `api = Api(blueprint)` of Flask-RESTful: its routes stand below those of what it is made of."""
    for name, value in assignments(tree):
        if isinstance(value, ast.Call) and last(value.func) == "Api":
            parent = dotted(argument(value, "app", 0))
            above = routers.known(routers.resolved(module, parent)) if parent else ""
            routers.included[f"{module}.{name}"] = (above, text_of(argument(value, "prefix"), constants))


def _without_get(tree: ast.Module) -> Iterator[str]:
    """Yield the classes that answer some methods of HTTP, and GET not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            own = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
            if own & {"post", "put", "patch", "delete"} and "get" not in own:
                yield node.name


def _of_module(
    routers: Routers, tree: ast.Module, module: str, path: str, silent: set[str]
) -> Iterator[Route]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for one in node.decorator_list:
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                    yield from _decorated(routers, module, path, node, one, one.func)
        elif isinstance(node, ast.Call) and last(node.func) == "add_url_rule":
            if isinstance(rule := constant(argument(node, "rule", 0)), str):
                yield Route(path=rule, file=path, line=node.lineno)
        elif (
            isinstance(node, ast.Call)
            and last(node.func) == "add_resource"
            and node.args
            and last(node.args[0]) not in silent
        ):
            yield from _added(routers, module, path, node)
    yield from _mounted(tree, path, "")
    for before, rule, function, decorator in litestar_routes.handlers(routers, tree, module):
        whole = litestar_routes.joined_path(before or "", rule)
        lacks = _lost(before) or _lacking(function, whole)
        status = _status(function, decorator)
        yield Route(path=whole, file=path, line=function.lineno, lacks=lacks, status=status)


def _added(routers: Routers, module: str, path: str, call: ast.Call) -> Iterator[Route]:
    """Yield the routes of a resource of Flask-RESTful: `api.add_resource(Orders, "/orders", "/all")`."""
    name = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    prefix = routers.prefix(routers.known(routers.resolved(module, name))) if name else None
    for one in call.args[1:]:
        if isinstance(rule := constant(one), str):
            yield Route(path=(prefix or "") + rule, file=path, line=call.lineno, lacks=_lost(prefix))


def _decorated(
    routers: Routers,
    module: str,
    path: str,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    decorator: ast.Call,
    called: ast.Attribute,
) -> Iterator[Route]:
    rule = constant(argument(decorator, "rule" if called.attr == "route" else "path", 0))
    methods = constant(argument(decorator, "methods")) or ["GET"]
    if called.attr not in _DECORATORS or not isinstance(rule, str) or "GET" not in methods:
        return
    if rule and not rule.startswith("/"):
        return
    prefix = routers.prefix(routers.known(routers.resolved(module, dotted(called.value))))
    lacks = _lost(prefix)
    names = [last(one.func if isinstance(one, ast.Call) else one) for one in function.decorator_list]
    if wanted := [one for one in names if one in _LOGGED_IN]:
        lacks = f"it needs a log-in ({wanted[0]}): see the log-in in docs/scenarios.md"
    if called.attr != "route":
        lacks = _lacking(function, (prefix or "") + rule) or lacks
    yield Route(
        path=(prefix or "") + rule or "/",
        file=path,
        line=function.lineno,
        lacks=lacks,
        status=_status(function, decorator),
    )


def _lost(prefix: str | None) -> str:
    """Return what is lacking where the prefix of a router is not known."""
    if prefix is not None:
        return ""
    return "what stands before its path was not found: its router is not included"


def _lacking(function: ast.FunctionDef | ast.AsyncFunctionDef, path: str) -> str:
    query = _required(function, path)
    return f"it needs {', '.join(query)} in its query" if query else ""


def _required(function: ast.FunctionDef | ast.AsyncFunctionDef, path: str) -> list[str]:
    """Return the parameters of a FastAPI route that a query must have."""
    args = function.args.args
    plain = args[: len(args) - len(function.args.defaults)]
    return [
        one.arg
        for one in plain
        if last(one.annotation) in _SCALARS and f"{{{one.arg}" not in path and one.arg != "self"
    ]


def _status(function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.Call) -> int:
    declared = constant(argument(decorator, "status_code"))
    if isinstance(declared, int) and 200 <= declared < 600:
        return declared
    returned = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)]
    made = {last(one.func) if isinstance(one, ast.Call) else "" for one in returned}
    return {frozenset({"redirect"}): 302, frozenset({"RedirectResponse"}): 307}.get(frozenset(made), 200)


def _mounted(node: ast.AST, path: str, prefix: str) -> Iterator[Route]:
    """Yield the routes of Starlette: Route("/x", f), below Mount("/p", routes=[…])."""
    if isinstance(node, ast.Call) and last(node.func) in ("Route", "Mount"):
        rule = constant(argument(node, "path", 0))
        if isinstance(rule, str) and last(node.func) == "Mount":
            for one in [argument(node, "routes")]:
                if one is not None:
                    yield from _mounted(one, path, prefix + rule.rstrip("/"))
            return
        methods = constant(argument(node, "methods")) or ["GET"]
        if isinstance(rule, str) and rule.startswith("/") and "GET" in methods:
            yield Route(path=prefix + rule, file=path, line=node.lineno)
        return
    for child in ast.iter_child_nodes(node):
        yield from _mounted(child, path, prefix)


def _of_django(files: Checkout, app: WebApp, settings: Mapping[str, ast.expr]) -> list[Route]:
    module = constant(settings.get("ROOT_URLCONF"))
    return list(_urls(files, app.folder, module, "", 0)) if isinstance(module, str) else []


def _urls(files: Checkout, folder: str, module: str, prefix: str, deep: int) -> Iterator[Route]:
    path = _file_of(files, folder, module)
    tree = files.tree(path) if path else None
    if tree is None or deep > 5:
        return
    for call in calls(tree):
        rule = constant(argument(call, "route", 0))
        if last(call.func) == "register" and isinstance(rule, str) and len(call.args) > 1:
            before = _router_prefix(tree)
            yield Route(path=f"/{prefix}{before}{rule}/", file=path, line=call.lineno)
        if last(call.func) not in ("path", "re_path") or not isinstance(rule, str) or len(call.args) < 2:
            continue
        view = call.args[1]
        if last(call.func) == "re_path":
            lacks = "its path is a regular expression: write one that it matches"
            yield Route(
                path="/" + re.split(r"[(\[{\\$.?*+]", rule.lstrip("^"))[0],
                file=path,
                line=call.lineno,
                lacks=lacks,
            )
        elif isinstance(view, ast.Call) and last(view.func) == "include":
            inner = constant(argument(view, "arg", 0))
            inner = inner[0] if isinstance(inner, list) and inner else inner
            if isinstance(inner, str) and not inner.startswith("rest_framework"):
                yield from _urls(files, folder, inner, prefix + rule, deep + 1)
        elif dotted(view) == "admin.site.urls":
            yield Route(path=f"/{prefix}{rule}login/", file=path, line=call.lineno)
        else:
            yield Route(path=f"/{prefix}{rule}", file=path, line=call.lineno)


def _router_prefix(tree: ast.Module) -> str:
    for call in calls(tree):
        if last(call.func) == "path" and len(call.args) > 1 and isinstance(call.args[1], ast.Call):
            inner = call.args[1]
            if last(inner.func) == "include" and inner.args and dotted(inner.args[0]).endswith(".urls"):
                return str(constant(call.args[0]) or "")
    return ""


def _file_of(files: Checkout, folder: str, module: str) -> str:
    path = module.replace(".", "/")
    for end in (f"{path}.py", f"{path}/__init__.py"):
        for one in files.below(folder):
            if one == end or one.endswith(f"/{end}"):
                return one
    return ""
