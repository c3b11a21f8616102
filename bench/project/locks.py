"""Locks beside the usual one, and the short names of them: `django:lock=6.1`."""

import re
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.files import near_miss

SHORT = re.compile(r"requirements[-_.](?P<short>.+)\.txt|pylock\.(?P<pylock>[^.]+)\.toml")


def other_locks(folder: Path) -> list[Path]:
    """Return the locks in *folder* that a name may choose: requirements-django-6.1.txt."""
    found = sorted((*folder.glob("requirements*.txt"), *folder.glob("pylock.*.toml")))
    return [one for one in found if SHORT.fullmatch(one.name)]


def short_name(lock: str) -> str:
    """Return what a lock is called in a headline: "django-6.1"."""
    name = Path(lock).name
    found = SHORT.fullmatch(name)
    return (found["short"] or found["pylock"]) if found else name


def lock_named(contender: str, value: str, places: Sequence[Path]) -> str:
    """Return the lock that *value* names in one of *places*: its file, or the end of its short name.

    Raises UsageError if there is none, or more than one.
    """
    for place in places:
        if (place / value).is_file():
            return value
        fitting = [one.name for one in other_locks(place) if _ends_with(short_name(one.name), value)]
        exact = [one for one in fitting if short_name(one) == value]
        if len(exact or fitting) == 1:
            return (exact or fitting)[0]
        if fitting:
            raise UsageError(f"{contender}: lock={value} may be {' or '.join(fitting)}: name one wholly")
    known = sorted({short_name(one.name) for place in places for one in other_locks(place)})
    where = places[0].name or str(places[0])
    raise UsageError(
        f"{contender}: there is no lock {value} in {where}, such as requirements-{value}.txt"
        f"{near_miss(value, known)}"
    )


def _ends_with(short: str, value: str) -> bool:
    """Return whether *short* ends with *value* as a whole: django-6.1 with 6.1, not with 1."""
    return bool(re.search(rf"(?:^|[-_]|(?<!\d)\.){re.escape(value)}$", short))
