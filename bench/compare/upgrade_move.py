"""What an upgrade moved."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeMove:
    """What an upgrade moved for some contenders: a package, or "python". None: not there on that side."""

    contenders: tuple[str, ...]
    package: str
    was: str | None
    now: str | None
