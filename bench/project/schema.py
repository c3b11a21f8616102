"""A JSON schema of bench.toml for editors, from the types that the file is read as."""

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.project.contenders import Overlay
from bench.project.exchanges import WrittenExchange
from bench.project.scenarios import WrittenScenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _File(TypedDict, total=False):
    """Services, and what is requested from them. docs/scenarios.md has exchanges and scenarios."""

    source: tuple[str, ...]
    contenders: dict[str, Overlay]
    exchanges: dict[str, WrittenExchange]
    scenarios: dict[str, WrittenScenario]
    scenarios_file: str


def schema() -> dict[str, Any]:
    """Return the schema. Keys that are unknown are mistakes in it, as they are where the file is read."""
    found = TypeAdapter(_File).json_schema()
    for table in (found, *found["$defs"].values()):
        if "properties" in table:
            table["additionalProperties"] = False
    return {"$schema": DIALECT, **found, "title": "bench.toml"}
