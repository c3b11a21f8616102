"""The versions that a contender ran on: of Python, and of the packages that its stack is named after."""

import re
from collections.abc import Iterator, Mapping

from bench.analysis.caveats import GIL
from bench.model.contender import Contender
from bench.records import Run

WORDS = 4  # of a stack, that a package may be named after: "Django REST framework"


def versions(run: Run, contender: Contender) -> dict[str, str]:
    """Return versions by package, "python" first; empty if the run does not know its environment."""
    made = run.environment(contender.name)
    packages: Mapping[str, str] = made.get("packages", {})
    named = set(_names(contender))
    main = {name: version for name, version in packages.items() if _plain(name) in named}
    return {**({"python": str(made["python"])} if made.get("python") else {}), **main}


def gil(run: Run, contender: Contender) -> str:
    """Return what is known of the lock of a free-threaded Python; "" for any other."""
    if not (contender.python or "").endswith("t") or not any(
        one.contender == contender.name for one in run.starts
    ):
        return ""
    on = (one.what for one in run.events if one.contender == contender.name and GIL.search(one.what))
    return next(on, "the GIL is off: so its server showed before and after each round")


def moved(run: Run, contender: str, reference: str) -> list[str]:
    """Return what differs from the packages of *reference*: "django 4.2.27 → 5.2.19"."""
    was, now = (
        {"python": one.get("python"), **one.get("packages", {})}
        for one in map(run.environment, (reference, contender))
    )
    both = sorted(was.keys() & now.keys())
    return [f"{name} {was[name]} → {now[name]}" for name in both if was[name] != now[name]]


def _names(contender: Contender) -> Iterator[str]:
    """Yield what a package of the stack may be called: each word, and words in a row."""
    words = re.findall(r"[a-z0-9]+", f"{contender.stack} {contender.server}".lower())
    for first in range(len(words)):
        for many in range(1, WORDS + 1):
            yield "".join(words[first : first + many])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
