"""Routers of a web application by their dotted names, and the prefix that each path of theirs has."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.init.checkout import constant, last


@dataclass(slots=True, eq=False)
class Routers:
    """Routers by their dotted names, and what includes them under which prefix."""

    own: dict[str, str] = field(default_factory=dict)  # router → its own prefix
    included: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # router → (parent, prefix)
    names: dict[str, str] = field(default_factory=dict)  # "module.name" → what it was imported from

    def known(self, name: str) -> str:
        for _ in range(5):
            if name not in self.names:
                owner, _, rest = name.rpartition(".")
                if owner not in self.names:
                    break
                name = f"{self.names[owner]}.{rest}"
            else:
                name = self.names[name]
        return name

    def resolved(self, module: str, name: str) -> str:
        """Return what *name* is in *module*, by where its first part was imported from."""
        head, _, rest = name.partition(".")
        known = self.known(f"{module}.{head}")
        return f"{known}.{rest}" if rest else known

    def prefix(self, name: str) -> str | None:
        """Return what stands before each path of a router, None if that cannot be followed."""
        before = ""
        for _ in range(6):
            before = self.own.get(name, "") + before
            if name not in self.included:
                return before if name not in self.own else None
            name, prefix = self.included[name]
            if prefix is None:
                return None
            before = prefix + before
        return None

    def note_imports(self, tree: ast.Module, module: str, is_package: bool) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                parts = module.split(".")
                up = node.level - is_package
                base = parts[: len(parts) - up] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                for one in node.names:
                    self.names[f"{module}.{one.asname or one.name}"] = f"{source}.{one.name}".lstrip(".")
            elif isinstance(node, ast.Import):
                for one in node.names:
                    name = one.asname or one.name.partition(".")[0]
                    self.names[f"{module}.{name}"] = one.name if one.asname else name


def text_of(node: ast.expr | None, constants: Mapping[str, str]) -> str | None:
    if node is None:
        return ""
    found = constant(node)
    if isinstance(found, str):
        return found
    return constants.get(last(node)) if last(node) else None
