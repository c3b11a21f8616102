"""Hashes of content: of a plan and its claims, fixed before anything is measured, and of scenarios.

What is not set does not count, so a field that a later version adds changes no hash.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bench.files import to_json
from bench.model.plan import Plan
from bench.model.scenario import Scenario

PLAN, CLAIMS = "plan", "claims"  # keys of `stamp`
LENGTH, SHORT_LENGTH = 32, 16  # hexadecimal digits


def stamp(plan: Plan) -> dict[str, str]:
    """Return the hashes of *plan* and of its claims, as a run records them before its first slice."""
    content, claims = parts(plan)
    return {PLAN: hash_of(content), CLAIMS: hash_of(claims)}


def parts(plan: Plan) -> tuple[Mapping[str, Any], list[Any]]:
    """Return *plan* as plain JSON without claims and without what is not set; and its claims."""
    content = what_is_set(json.loads(to_json(plan)))
    claims: list[Any] = content.pop("claims", [])
    return content, claims


def hash_of(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def digest(content: Any) -> str:
    """Return a short hash of plain data."""
    text = json.dumps(what_is_set(content), sort_keys=True, default=repr, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT_LENGTH]


def digest_of_scenario(one: Scenario) -> str:
    """Return a hash of what *one* requests, wherever its files lie."""
    placeless = replace(one.locustfile, root="") if one.locustfile else None
    return digest(asdict(replace(one, about="", locustfile=placeless)))


def what_is_set(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: what_is_set(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if not _is_unset(one)}
    return [what_is_set(one) for one in value] if isinstance(value, list | tuple) else value


def _is_unset(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
