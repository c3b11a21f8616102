"""The GET routes of Litestar: functions and methods of controllers, below the paths of their routers."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from bench.init.checkout import argument, assignments, calls, constant, dotted, last
from bench.init.routers import Routers, text_of

_GETS = ("litestar.get", "litestar.handlers.get")
_CLASSES = {"Litestar": 0, "Router": 1}  # the place of their handlers among their arguments


def note(routers: Routers, tree: ast.Module, module: str, constants: Mapping[str, str]) -> None:
    """Note which handlers each router and each app includes, and the paths of routers and controllers."""
    names = {id(value): name for name, value in assignments(tree)}
    for call in calls(tree):
        kind = last(call.func)
        listed = argument(call, "route_handlers", _CLASSES.get(kind)) if kind in _CLASSES else None
        if not isinstance(listed, ast.List | ast.Tuple):
            continue
        key = f"{module}.{names.get(id(call), '')}"
        if kind == "Router":
            routers.own[key] = text_of(argument(call, "path", 0), constants) or ""
        for one in listed.elts:
            child = routers.known(routers.resolved(module, dotted(one)))
            routers.included.setdefault(child, (key, ""))
    for node in _controllers(tree):
        own = {name: value for name, value in assignments(node) if name == "path"}
        routers.own[f"{module}.{node.name}"] = text_of(own.get("path"), constants) or ""


def handlers(
    routers: Routers, tree: ast.Module, module: str
) -> Iterator[tuple[str | None, str, ast.FunctionDef | ast.AsyncFunctionDef, ast.Call]]:
    """Yield what stands before each GET (None: unknown), its own path, its function and its decorator."""
    for owner, body in (("", tree.body), *((node.name, node.body) for node in _controllers(tree))):
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for one in node.decorator_list:
                if isinstance(one, ast.Call) and routers.resolved(module, dotted(one.func)) in _GETS:
                    before = routers.prefix(f"{module}.{owner or node.name}")
                    yield from ((before, path, node, one) for path in _paths(argument(one, "path", 0)))


def _controllers(tree: ast.Module) -> Iterable[ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and "Controller" in map(last, node.bases):
            yield node


def _paths(written: ast.expr | None) -> Iterable[str]:
    found = constant(written) if written is not None else ""
    if isinstance(found, str):
        return (found,)
    return [one for one in found if isinstance(one, str)][:1] if isinstance(found, list) else ()


def joined_path(*parts: str) -> str:
    return "/" + "/".join(piece for part in parts for piece in part.split("/") if piece)
