"""What is known of machine and versions, as lines of a table."""

from collections.abc import Iterator, Mapping
from typing import Any

LISTED = ("packages", "settings", "harness")  # facts that are long, and read on one line


def facts(fingerprint: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a fingerprint as dotted names and plain text."""
    return dict(_flat(fingerprint))


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested facts as dotted names and plain text."""
    for name, value in facts.items():
        if name in LISTED and isinstance(value, Mapping):
            yield f"{above}{name}", ", ".join(f"{key} {held}" for key, held in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            listed = isinstance(value, list | tuple)
            yield f"{above}{name}", ", ".join(map(str, value)) if listed else str(value)
