"""Hashes of a plan and of its claims: what was to be measured, fixed before anything was."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.files import to_json
from bench.model import Plan

PLAN, CLAIMS = "plan", "claims"  # keys of `stamp`
LENGTH = 32  # hexadecimal digits


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


def what_is_set(value: Any) -> Any:
    """Return *value* without what is not set: a field that a later version adds then changes no hash."""
    if isinstance(value, Mapping):
        kept = {key: what_is_set(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if not _is_unset(one)}
    return [what_is_set(one) for one in value] if isinstance(value, list | tuple) else value


def _is_unset(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
