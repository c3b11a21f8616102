"""The files of a checkout, read and parsed. Nothing of it is executed."""

import ast
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

MOST_FILES = 20_000
LARGEST = 1 << 20  # bytes of a file that is read
DEEPEST = 6  # folders

# Neither the service nor how it is started.
_OTHERS = {
    "node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env", "virtualenv",
    "tests", "test", "testing", "docs", "doc", "examples", "example", "migrations", "htmlcov",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Checkout:
    """A folder and the paths below it, without environments, tests and what tools leave behind."""

    root: Path
    paths: tuple[str, ...]
    skipped: list[str] = field(default_factory=list)  # Python files that no Python 3 can read
    _trees: dict[str, ast.Module | None] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """Return the text of a file, "" without one that can be read."""
        file = self.root / path
        try:
            if not file.is_file() or file.stat().st_size > LARGEST:
                return ""
            return file.read_bytes().decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
        except OSError:
            return ""

    def toml(self, path: str) -> Mapping[str, Any]:
        try:
            return tomllib.loads(self.text(path))
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}

    def yaml(self, path: str) -> Mapping[str, Any]:
        try:
            found = yaml.safe_load(self.text(path))
        except (yaml.YAMLError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def tree(self, path: str) -> ast.Module | None:
        """Return a Python file parsed, None if it cannot be."""
        if path not in self._trees:
            try:
                self._trees[path] = ast.parse(self.text(path))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._trees[path] = None
                self.skipped.append(path)
        return self._trees[path]

    def below(self, folder: str, name: str = "") -> Iterator[str]:
        """Yield the paths below *folder* whose last part is *name*, or all of them; the shallowest first."""
        for path in self.paths:
            inside = not folder or path.startswith(f"{folder}/")
            if inside and (not name or path.rpartition("/")[2] == name):
                yield path

    def has(self, path: str) -> bool:
        return (self.root / path).is_file()


def checkout(root: Path) -> Checkout:
    found: list[str] = []
    for folder, names, files in os.walk(root):
        at = PurePosixPath(os.path.relpath(folder, root))
        deep = len(at.parts) >= DEEPEST
        names[:] = [] if deep else sorted(one for one in names if _is_own(Path(folder) / one))
        found += [str(at / one) for one in files]
        if len(found) >= MOST_FILES:
            break
    return Checkout(root, tuple(sorted(found, key=lambda path: (path.count("/"), path))))


def _is_own(folder: Path) -> bool:
    name = folder.name
    return name not in _OTHERS and not name.startswith(".") and not (folder / "pyvenv.cfg").exists()


def joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def constant(node: ast.AST | None) -> Any:
    """Return the value of a constant, or of a list or tuple of them; None for everything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            values = [constant(one) for one in parts]
            return None if None in values else values
    return None


def dotted(node: ast.AST | None) -> str:
    """Return "a.b.c" of a name with attributes, "" for everything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name):
            before = dotted(owner)
            return f"{before}.{name}" if before else ""
    return ""


def last(node: ast.AST | None) -> str:
    """Return the last name of what is called: "get" of `app.router.get`, and of `make().get`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def argument(call: ast.Call, name: str, at: int | None = None) -> ast.expr | None:
    """Return the argument *name* of a call, which may stand at place *at*."""
    for one in call.keywords:
        if one.arg == name:
            return one.value
    return call.args[at] if at is not None and at < len(call.args) else None


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name (its last part) that a value is assigned to, in any scope."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((last(one), value) for one in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield last(target), value
