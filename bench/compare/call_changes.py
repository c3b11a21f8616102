"""Which Python functions a head calls more or less often for a request than its base."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.profile.call_counts import NEVER, Calls
from bench.profile.layers import layer_of
from bench.profile.record import Files

OWN = ("./", "../")  # begin the files of the project


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """The calls of a function per request: in the base, and in the head. 0: it is new, or gone."""

    function: str  # qualified within its file: "Post.save"
    file: str  # "./models.py", "flask/app.py"
    layer: str | None  # of that file
    base: float
    head: float

    @property
    def by(self) -> float:
        return self.head - self.base

    @property
    def is_own(self) -> bool:
        return self.file.startswith(OWN)

    @property
    def named(self) -> str:
        """Return its name with its module: "models.Post.save"."""
        if not self.file.endswith(".py"):
            return f"{self.function} ({self.file})"
        module = self.file.removesuffix(".py").removesuffix("/__init__").lstrip("./").replace("/", ".")
        return f"{module}.{self.function}" if module else self.function


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsExplained:
    """A contender in a scenario, or in one exchange alone. *why*: the reason where nothing was counted."""

    contender: str  # without a revision
    of: str
    changes: tuple[CallChange, ...] = ()  # what matters most first
    why: str = ""


def call_changes(base: Calls, head: Calls, files: Files) -> tuple[CallChange, ...]:
    """Return the functions whose calls differ in all windows. *files*: the layers that the app declares.

    First those of the project, as it is what people change; then those with the largest change.
    """
    return tuple(
        sorted(_changes(base, head, files), key=lambda one: (not one.is_own, -abs(one.by), one.named))
    )


def _changes(base: Calls, head: Calls, files: Files) -> Iterator[CallChange]:
    for which in dict.fromkeys((*head, *base)):
        before, after = base.get(which, NEVER), head.get(which, NEVER)
        if before.is_apart_from(after):
            yield CallChange(
                function=which.name,
                file=which.file,
                layer=layer_of(which.file, files),
                base=before.usual,
                head=after.usual,
            )
