"""An OpenAPI document whose references are followed. Every wrong place is named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MEND = "mend the document"
_DEEPEST = 30  # $ref to $ref to …, allOf in allOf in …


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path. *shared*: the parameters that its path declares."""

    method: str
    path: str
    content: Mapping[str, Any]
    shared: Sequence[Any] = ()

    @property
    def where(self) -> str:
        return f"paths.{self.path}.{self.method}"


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a document, and its name in messages."""

    content: Mapping[str, Any]
    name: str

    @classmethod
    def of(cls, content: Any, name: str) -> "Document":
        """Return *content* as a document; raises UsageError if it is none."""
        if not isinstance(content, Mapping):
            raise UsageError(f"{name}: it is no object: give an OpenAPI document, 3.0 or 3.1")
        if "swagger" in content:
            raise UsageError(
                f"{name}: Swagger {content['swagger']} is not read: convert it to OpenAPI 3, "
                "as with `npx swagger2openapi`"
            )
        if "openapi" not in content:
            raise UsageError(f"{name}: it has no key openapi: give an OpenAPI document, 3.0 or 3.1")
        if not str(content["openapi"]).startswith(("3.0", "3.1")):
            raise UsageError(
                f"{name}: OpenAPI {content['openapi']} is not read: give a document of 3.0 or 3.1"
            )
        return cls(content, name)

    def wrong(self, where: str, what: str) -> UsageError:
        return UsageError(f"{self.name}: {where}: {what}")

    def mapping(self, node: Any, where: str) -> Mapping[str, Any]:
        """Return *node*, or what its $ref leads to, as an object."""
        for _ in range(_DEEPEST):
            if not isinstance(node, Mapping):
                raise self.wrong(where, f"it must be an object: {MEND}")
            if not isinstance(node.get("$ref"), str):
                return node
            node = self._target(node["$ref"], where)
        raise self.wrong(where, f"its $ref lead in a circle: {MEND}")

    def listed(self, node: Any, where: str) -> Sequence[Any]:
        if not isinstance(node, list):
            raise self.wrong(where, f"it must be a list: {MEND}")
        return node

    def _target(self, reference: str, where: str) -> Any:
        if not reference.startswith("#/"):
            raise self.wrong(where, f"$ref {reference} leads out of the document: bundle it into one first")
        node: Any = self.content
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise self.wrong(where, f"$ref {reference} leads nowhere: {MEND}")
        return node

    def operations(self) -> Iterator[Operation]:
        for path, item in self.mapping(self.content.get("paths", {}), "paths").items():
            where = f"paths.{path}"
            if not str(path).startswith("/"):
                raise self.wrong(where, f"a path begins with a slash: {MEND}")
            node = self.mapping(item, where)
            for method in METHODS:
                if method in node:
                    content = self.mapping(node[method], f"{where}.{method}")
                    shared = self.listed(node.get("parameters", []), f"{where}.parameters")
                    yield Operation(method=method, path=path, content=content, shared=shared)

    def parameters(self, operation: Operation) -> list[Mapping[str, Any]]:
        """Return those of *operation* and of its path, each once."""
        where = f"{operation.where}.parameters"
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for each in (*operation.shared, *self.listed(operation.content.get("parameters", []), where)):
            one = self.mapping(each, where)
            if not isinstance(one.get("name"), str) or one.get("in") not in (
                "path",
                "query",
                "header",
                "cookie",
            ):
                raise self.wrong(
                    where, f"a parameter needs a name, and in = path, query, header or cookie: {MEND}"
                )
            found[one["in"], one["name"]] = one
        return list(found.values())

    def schema(self, node: Any, where: str, depth: int = 0) -> Mapping[str, Any]:
        """Return a schema with its allOf, and with the first of anyOf or oneOf that is not null."""
        if depth > _DEEPEST:
            raise LookupError("its schema contains itself")
        if isinstance(node, bool):  # 3.1: true admits everything
            return {}
        schema = dict(self.mapping(node, where))
        for part in self.listed(schema.pop("allOf", []), where):
            schema = {**self.schema(part, where, depth + 1), **schema}
        for key in ("anyOf", "oneOf"):
            for part in self.listed(schema.pop(key, []), where):
                one = self.schema(part, where, depth + 1)
                if one.get("type") != "null":
                    schema = {**one, **schema}
                    break
        return schema
