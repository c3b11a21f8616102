"""What looks like a secret, or like a person's own, and is never written into a file."""

import re
from collections.abc import Mapping
from typing import Any

from bench.init.draft import CHANGE_ME

EMAIL = "user@example.com"

_NAMES = re.compile(
    r"passw|passphrase|\bpwd\b|secret|token|api.?key|auth(?!or)|session|\bsid\b|signature|\bsig\b|credential"
    r"|\botp\b|\bpin\b|\bcvv\b|\bcvc\b|card.?num|iban|\bssn\b|\bjwt\b|csrf|xsrf",
    re.IGNORECASE,
)
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
_KEY = r"\b(?:sk|pk|rk|ghp|gho|xox[abp])[_-][A-Za-z0-9_-]{10,}"
# Random letters of both kinds and digits. UUIDs and hexadecimal ids have letters of one kind.
_RANDOM = r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{22,}={0,2}"
_SECRET = re.compile(rf"{_JWT}|{_KEY}|\b{_RANDOM}")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_LONGEST = 100_000  # characters that are looked through


def names_secret(name: str) -> bool:
    return _NAMES.search(name.replace("_", "-")) is not None


def is_secret(value: str) -> bool:
    return _SECRET.fullmatch(value) is not None


def masked(name: str, value: str) -> str:
    """Return *value*, or what stands for it where *name* or the value itself looks like a secret."""
    return CHANGE_ME if value and names_secret(name) else masked_text(value)


def masked_text(text: str) -> str:
    if len(text) > _LONGEST:
        return CHANGE_ME
    return _EMAIL.sub(EMAIL, _SECRET.sub(CHANGE_ME, text))


def masked_json(node: Any, name: str = "") -> Any:
    """Return *node*, any JSON below the key *name*, without what looks like a secret."""
    if isinstance(node, Mapping):
        return {key: masked_json(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [masked_json(one, name) for one in node]
    if isinstance(node, str):
        return masked(name, node)
    return CHANGE_ME if name and names_secret(name) and type(node) in (int, float) else node


def is_masked(text: str) -> bool:
    return CHANGE_ME in text or EMAIL in text
